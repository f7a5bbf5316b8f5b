// The picture on the screen as requests: for a terminal, for Python, for other viewers.

import { scanPath, slicePath, withQuery } from "./api.js";
import { make, replaceChildren } from "./dom.js";
import { copyText } from "./share.js";
import { CLASSES } from "./state.js";
import { evaluationPath } from "./secondmask.js";
import { windowOf } from "./window.js";

const HEIGHT = 512;

/** `[name, text]` of each way to get at what is shown. `second` is a second mask over the scan, or null. */
function recipes(state, scan, bounds, second) {
  const url = (path) => location.origin + path;
  const at = (file, query) => url(withQuery(slicePath(scan.scan_id, state.slice, file), query));
  const volume = (file) => url(`${scanPath(scan.scan_id)}/${file}`);
  const classes = CLASSES.filter((name) => !state.hidden.includes(name));
  const labels = shownLabels(state.hidden, classes, scan);
  const isOverlaid = state.overlay && labels.length > 0;
  const window = windowOf(state, scan);
  const style = { alpha: state.alpha, outline: state.outline ? 1 : undefined, labels: state.hidden.length ? labels.join(",") : undefined };
  const picture = isOverlaid ? at("overlay.png", { height: HEIGHT, window, ...style }) : at("image.png", { height: HEIGHT, window });
  return [
    ["curl", `curl -o ${scan.scan_id}-${state.slice}.png '${picture}'`],
    ["Python", python(at("image.npy", { size: "native" }), at("mask.npy", { size: "native" }), bounds)],
    ["Files", ["image", "mask"].flatMap((name) => [".nii.gz", ".mha"].map((ending) => volume(name + ending))).join("\n")],
    ["3D Slicer", slicer(scan.scan_id, volume("image.nii.gz"), volume("mask.nii.gz"))],
    ["Scores", `curl --data-binary ${quoted(`@${second?.file.name ?? `${scan.scan_id}.nii.gz`}`)} '${url(evaluationPath(scan, second, state))}'`],
    ["NiiVue", niivue(volume("image.nii.gz"), volume("mask.nii.gz"), url("/v1/labels"), isOverlaid ? state.alpha : 0)],
  ];
}

/** As one word for a shell, whatever it holds. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Classes by name; single labels where one of them is hidden. */
function shownLabels(hidden, classes, scan) {
  if (hidden.every((one) => typeof one === "string")) return classes;
  const names = { vertebra: "vertebrae", disc: "discs", canal: "canal", partial_vertebra: "partial" };
  return scan.labels.filter((one) => !hidden.includes(one.label) && classes.includes(names[one.class])).map((one) => one.label);
}

const python = (image, mask, bounds) => `import io
import httpx
import numpy as np

def array(url):
    return np.load(io.BytesIO(httpx.get(url).raise_for_status().content))

image = array("${image}")
mask = array("${mask}")
low, high = ${bounds ? `${bounds.low}, ${bounds.high}` : "image.min(), image.max()"}
grey = np.clip((image.astype(float) - low) / (high - low), 0, 1)
print(image.shape, image.dtype, np.unique(mask))`;

const slicer = (scan, image, mask) => `# in the Python console of 3D Slicer
import SampleData
SampleData.downloadFromURL(
    uris=["${image}", "${mask}"],
    fileNames=["${scan}.nii.gz", "${scan}-mask.nii.gz"],
    nodeNames=["${scan}", "${scan}-mask"],
    loadFileTypes=["VolumeFile", "SegmentationFile"])`;

const niivue = (image, mask, labels, opacity) => `import { Niivue } from "@niivue/niivue";

const { items } = await (await fetch("${labels}")).json();
const channel = (at) => items.map(({ colour }) => parseInt(colour.slice(at, at + 2), 16));
const viewer = new Niivue();
await viewer.attachTo("canvas");
await viewer.loadVolumes([
  { url: "${image}" },
  { url: "${mask}", opacity: ${opacity} },
]);
const labels = viewer.volumes[1];
labels.hdr.intent_code = 1002; // NIFTI_INTENT_LABEL: values are not mixed
labels.setColormapLabel({
  I: items.map(({ label }) => label),
  R: channel(1), G: channel(3), B: channel(5),
  A: items.map(({ label }) => (label === 0 ? 0 : 255)),
  labels: items.map(({ name }) => name),
});
viewer.updateGLVolume();`;

export class Recipes {
  #chosen = "curl";
  #shown = "";

  constructor() {
    this.tabs = make("div", { className: "tabs", role: "group", "aria-label": "Ways" });
    this.text = make("pre", { tabIndex: 0 });
    this.copy = make("button", { type: "button", textContent: "Copy", id: "copy" });
    this.copy.addEventListener("click", () => copyText(this.copy, this.text.textContent));
    const hint = make("p", { className: "muted", textContent: "Where the server requires a token, send it along (Authorization: Bearer …), or request a time-limited signed URL from /v1/signed." });
    this.element = make("details", { id: "recipes", className: "block" }, make("summary", { textContent: "Code" }), this.tabs, this.text, this.copy, hint);
  }

  show(state, scan, bounds, second) {
    if (!scan.shape || state.slice === null) return;
    const all = recipes(state, scan, bounds, second);
    const shown = JSON.stringify([all, this.#chosen]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const tab = ([name]) => {
      const button = make("button", { type: "button", textContent: name, key: name });
      button.setAttribute("aria-pressed", String(name === this.#chosen));
      button.addEventListener("click", () => {
        this.#chosen = name;
        this.show(state, scan, bounds, second);
      });
      return button;
    };
    replaceChildren(this.tabs, ...all.map(tab));
    this.text.textContent = all.find(([name]) => name === this.#chosen)[1];
  }
}
