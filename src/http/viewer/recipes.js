// The picture on the screen as requests: for a terminal, for Python, for other viewers.

import { scanPath, slicePath, withQuery } from "./api.js";
import { make } from "./dom.js";
import { CLASSES } from "./state.js";
import { windowOf } from "./window.js";

const HEIGHT = 512;

/** `[name, text]` of each way to get at what is shown. */
function recipes(state, scan, bounds) {
  const url = (path) => location.origin + path;
  const at = (file, query) => url(withQuery(slicePath(scan.scan_id, state.slice, file), query));
  const volume = (file) => url(`${scanPath(scan.scan_id)}/${file}`);
  const classes = CLASSES.filter((name) => !state.hidden.includes(name));
  const isOverlaid = state.overlay && classes.length > 0;
  const window = windowOf(state, scan);
  const style = { alpha: state.alpha, outline: state.outline ? 1 : undefined, labels: state.hidden.length ? classes.join(",") : undefined };
  const picture = isOverlaid ? at("overlay.png", { height: HEIGHT, window, ...style }) : at("image.png", { height: HEIGHT, window });
  return [
    ["curl", `curl -o ${scan.scan_id}-${state.slice}.png '${picture}'`],
    ["Python", python(at("image.npy", { size: "native" }), at("mask.npy", { size: "native" }), bounds)],
    ["Files", ["image", "mask"].flatMap((name) => [".nii.gz", ".mha"].map((ending) => volume(name + ending))).join("\n")],
    ["3D Slicer", slicer(scan.scan_id, volume("image.nii.gz"), volume("mask.nii.gz"))],
    ["NiiVue", niivue(volume("image.nii.gz"), volume("mask.nii.gz"), url("/v1/labels"), isOverlaid ? state.alpha : 0)],
  ];
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
viewer.volumes[1].setColormapLabel({
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
    this.copy.addEventListener("click", () => this.#copied());
    const hint = make("p", { className: "muted", textContent: "Where the server asks for a token, send it along (Authorization: Bearer …), or ask /v1/signed for an address that needs none." });
    this.element = make("details", { id: "recipes", className: "block" }, make("summary", { textContent: "Code" }), this.tabs, this.text, this.copy, hint);
  }

  show(state, scan, bounds) {
    if (!scan.shape || state.slice === null) return;
    const all = recipes(state, scan, bounds);
    const shown = JSON.stringify([all, this.#chosen]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const tab = ([name]) => {
      const button = make("button", { type: "button", textContent: name });
      button.setAttribute("aria-pressed", String(name === this.#chosen));
      button.addEventListener("click", () => {
        this.#chosen = name;
        this.show(state, scan, bounds);
        [...this.tabs.children].find((one) => one.textContent === name)?.focus();
      });
      return button;
    };
    this.tabs.replaceChildren(...all.map(tab));
    this.text.textContent = all.find(([name]) => name === this.#chosen)[1];
  }

  async #copied() {
    try {
      await navigator.clipboard.writeText(this.text.textContent);
      this.copy.textContent = "Copied";
    } catch {
      // Pages that are not from this machine and not encrypted may not write to the clipboard.
      getSelection().selectAllChildren(this.text);
      this.copy.textContent = "Selected: press Ctrl + C";
    }
    setTimeout(() => (this.copy.textContent = "Copy"), 2000);
  }
}
