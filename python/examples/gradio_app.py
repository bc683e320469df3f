import gradio

import dapple

segmenter = dapple.load("horse")
app = gradio.Interface(lambda image: segmenter.predict(image).cutout(), gradio.Image(), gradio.Image(format="png"))

if __name__ == "__main__":
    app.launch()
