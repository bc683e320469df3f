/**
 * Asks which labels stay where the mask was changed elsewhere while strokes were on their way.
 */
import { fault, openDialog } from "../core/dialog.js";
import { h } from "../core/dom.js";
import { count, fileName } from "../core/format.js";

/** Sessions that are being asked about. */
const asked = new Set();

export async function settleConflict(session) {
  if (asked.has(session)) return;
  asked.add(session);
  const { strokes } = session.saver;
  const what = `Another tab or program changed the mask of ${fileName(session.id)} while ${count(strokes, "stroke")} of yours`;
  const choice = await openDialog({
    title: "The labels were changed elsewhere",
    urgent: true,
    body: h(
      "div",
      {},
      h("p", {}, `${what} ${strokes === 1 ? "was" : "were"} on the way. Which labels should stay?`),
      h("p", { class: "soft" }, "Undo takes back whichever you choose."),
    ),
    actions: [
      { text: "Only theirs", value: "theirs" },
      { text: "Only mine", value: "mine" },
      { text: "Both: my strokes over theirs", value: "both", main: true },
    ],
  });
  try {
    await session.settle(choice ?? "both");
  } catch (error) {
    fault(error);
    session.saver.resume();
  }
  asked.delete(session);
}
