// A model on this page, without a server: draw for it, or write what it takes.
import { local } from "./local.js";

const $ = (id) => document.getElementById(id);
const model = await local(new URL("model.json", import.meta.url)).catch((error) => {
  $("about").textContent = error.message;
  throw error;
});
$("name").textContent = document.title = `${model.name} ${model.version}`;
$("about").textContent =
  `Runs on this device. Its recorded samples differ by ${model.difference} from what was recorded.`;

const inputs = { image: drawing, columns: fields, window: fields, text: words, audio: sound };
$("input").append(...(inputs[model.bundle.preprocess?.type] ?? numbers)());

async function ask(input) {
  try {
    $("answer").textContent = JSON.stringify(await model.predict(input), null, 2);
  } catch (error) {
    $("answer").textContent = error.message;
  }
}

function drawing() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 280, height: 280 });
  canvas.setAttribute("aria-label", "Draw here");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(pen, { lineWidth: 22, lineCap: "round", lineJoin: "round", strokeStyle: "white" });
  const clear = Object.assign(document.createElement("button"), { textContent: "Clear" });
  clear.onclick = () => pen.clearRect(0, 0, 280, 280);
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(event.offsetX, event.offsetY);
  };
  canvas.onpointermove = (event) => {
    if (!event.buttons) return;
    pen.lineTo(event.offsetX, event.offsetY);
    pen.stroke();
    ask(canvas);
  };
  return [canvas, document.createElement("br"), clear];
}

function written(value, read) {
  const text = Object.assign(document.createElement("textarea"), { rows: 8, value });
  text.setAttribute("aria-label", "What to ask");
  const button = Object.assign(document.createElement("button"), { textContent: "Ask" });
  button.onclick = () => {
    try {
      ask(read(text.value));
    } catch (error) {
      $("answer").textContent = error.message;
    }
  };
  return [text, button];
}

function fields() {
  const { columns, type } = model.bundle.preprocess;
  const row = Object.fromEntries(columns.map(({ name, categories, date }) => [name, categories?.[0] ?? (date ? "2024-01-31" : 0)]));
  return written(JSON.stringify(type === "window" ? [row] : row, null, 2), JSON.parse);
}

function words() {
  return written("", (text) => text);
}

function numbers() {
  return written("[]", JSON.parse);
}

function sound() {
  const file = Object.assign(document.createElement("input"), { type: "file", accept: "audio/wav" });
  file.setAttribute("aria-label", "A WAV file");
  file.onchange = () => file.files[0] && ask(file.files[0]);
  return [file];
}
