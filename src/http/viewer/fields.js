// Names and units of metadata, as people who read MR images use them.

import { rounded } from "./dom.js";

/** Field → [name, unit]. A field that is missing here shows under its own name. */
const FIELDS = {
  num_vertebrae: ["Vertebrae"],
  num_discs: ["Discs"],
  sex: ["Sex"],
  age: ["Age", "years"],
  orig_subset: ["Published subset"],
  angio_flag: ["Angiography"],
  body_part_examined: ["Body part"],
  device_serial_number: ["Device serial number"],
  echo_numbers: ["Echo number"],
  echo_time: ["Echo time (TE)", "ms"],
  echo_train_length: ["Echo train length"],
  flip_angle: ["Flip angle", "°"],
  imaged_nucleus: ["Nucleus"],
  imaging_frequency: ["Imaging frequency", "MHz"],
  in_plane_phase_encoding_direction: ["Phase encoding direction"],
  mr_acquisition_type: ["Acquisition type"],
  magnetic_field_strength: ["Field strength", "T"],
  manufacturer: ["Manufacturer"],
  manufacturer_model_name: ["Scanner"],
  number_of_phase_encoding_steps: ["Phase encoding steps"],
  percent_phase_field_of_view: ["Phase field of view", "%"],
  percent_sampling: ["Sampling", "%"],
  photometric_interpretation: ["Photometric interpretation"],
  pixel_bandwidth: ["Pixel bandwidth", "Hz"],
  pixel_spacing: ["Pixel spacing in the table", "mm"],
  repetition_time: ["Repetition time (TR)", "ms"],
  sar: ["SAR", "W/kg"],
  samples_per_pixel: ["Samples per pixel"],
  scanning_sequence: ["Scanning sequence"],
  sequence_name: ["Sequence name"],
  series_description: ["Series description"],
  slice_thickness: ["Slice thickness", "mm"],
  software_versions: ["Software versions"],
  spacing_between_slices: ["Spacing between slices", "mm"],
  specific_character_set: ["Character set"],
  transmit_coil_name: ["Transmit coil"],
  window_center: ["Window centre in the table"],
  window_width: ["Window width in the table"],
};

export const nameOf = (field) => FIELDS[field]?.[0] ?? field.replaceAll("_", " ");

/** A value with its unit; numbers without the digits that only their storage adds. */
export function textOf(field, value) {
  const one = (item) => (typeof item === "number" ? rounded(Number(item.toPrecision(6)), 6) : String(item));
  const text = Array.isArray(value) ? value.map(one).join(typeof value[0] === "number" ? " × " : ", ") : one(value);
  const unit = FIELDS[field]?.[1];
  if (!unit) return text;
  return unit === "°" ? `${text}${unit}` : `${text} ${unit}`;
}
