/**
 * The network's help: what it is doing, its proposal to accept, and the rest as background.
 */
import { h, say } from "../core/dom.js";
import { icon } from "../core/icons.js";

export class Assist {
  /** @param view the Label view, which carries out what is chosen here */
  constructor(view) {
    this.view = view;
    /** Over the picture, while there is a proposal. */
    this.offer = this.#makeOffer();
    /** In the panel. */
    this.element = this.#makePanel();
  }

  #makeOffer() {
    const { view } = this;
    return h(
      "div",
      { class: "offer over-stage", hidden: true },
      icon("spark"),
      h("span", {}, "Proposal"),
      h(
        "button",
        { class: "main small", type: "button", title: "Accept all (Shift+A)", onclick: () => view.accept() },
        icon("accept", 16),
        "Accept all",
      ),
      h(
        "button",
        { class: "small", type: "button", title: "Accept a region (A)", onclick: () => view.editor.choose("accept") },
        "Pick regions",
      ),
    );
  }

  #makePanel() {
    const { view } = this;
    this.learner = h("p", { class: "learner", role: "status" });
    this.all = h(
      "button",
      { class: "main", type: "button", title: "Shift+A", onclick: () => view.accept() },
      icon("accept"),
      "Accept all",
    );
    this.sure = h(
      "button",
      { type: "button", title: "Accept only where the network is sure (Shift+S)", onclick: () => view.accept(true) },
      "Only sure",
    );
    this.pair = h("div", { class: "pair" }, this.all, this.sure);
    this.unsure = h(
      "button",
      {
        type: "button",
        class: "full",
        title: "Zoom to the part that the network is least sure of (J)",
        onclick: () => view.unsure(),
      },
      icon("spark"),
      "Show the unsure part",
    );
    this.restText = h("span", {});
    this.rest = h(
      "button",
      {
        type: "button",
        class: "full",
        title: "Give all unlabelled pixels the background's label (Shift+B)",
        onclick: () => view.rest(),
      },
      icon("fill"),
      this.restText,
    );
    const learns = view.studio.has("learn");
    this.learner.hidden = this.pair.hidden = this.unsure.hidden = !learns;
    const head = h("header", {}, h("h2", {}, learns ? "Proposal" : "The rest"));
    return h("section", { class: "assist" }, head, this.learner, this.pair, this.unsure, this.rest);
  }

  refresh() {
    const { editor, studio, background } = this.view;
    const { session, settings } = editor;
    const { learner } = studio.state;
    say(this.learner, learnerSays(learner, session));
    this.learner.dataset.state = learner?.state ?? "off";
    const offered = Boolean(session?.proposal) && studio.image(session.id)?.labelled < 0.999;
    this.all.disabled = this.sure.disabled = this.unsure.disabled = !offered;
    this.offer.hidden = !offered || !settings.proposal || !settings.labels || editor.comparing;
    say(this.restText, `The rest is ${background?.name ?? "background"}`);
    this.rest.disabled = !session || !background;
  }
}

/** What the learner does, in plain words. */
function learnerSays(learner, session) {
  if (learner?.message) return learner.message;
  switch (learner?.state) {
    case "reading":
      return "Reading your strokes …";
    case "learning":
      return `Learning from your strokes … step ${learner.step ?? 0}`;
    case "resting":
      return session?.proposal ? "The proposal is up to date." : "The network has learned; the proposal follows.";
    case "paused":
      return "Paused while a training runs.";
    case "failed":
      return "The network could not learn from these labels.";
    default:
      return "Paint a stroke of two classes: a network then learns along and proposes the rest.";
  }
}
