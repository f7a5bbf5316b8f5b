-- What questions filter and count is laid out for it: one narrow row for every scan, slice and disc, so that a question
-- without an index of its own reads a table once, and the usual ones read an index alone.

-- One row for every row of overview.csv, and for every volume that has none.
-- scan_key = 4 * patient_id + position of the scan type: the natural order of scans, the same in every import.
-- The columns of a volume are null until it is imported; `slices` says whether it is.
-- The metadata columns are named and typed as in spider::FIELDS; lists are JSON.
CREATE TABLE scan_facts (
    scan_key   INTEGER PRIMARY KEY,
    scan_id    TEXT NOT NULL,
    patient_id INTEGER NOT NULL,
    scan_type  TEXT NOT NULL,
    split      TEXT,

    -- Canonical shape and spacing.
    slices            INTEGER,
    rows              INTEGER,
    columns           INTEGER,
    slice_spacing_mm  REAL,
    row_spacing_mm    REAL,
    column_spacing_mm REAL,
    source_axis_codes TEXT,     -- of the source's i, j, k
    element_type      TEXT,     -- of the image, in the source and in the store
    value_min         REAL,
    value_max         REAL,
    value_mean        REAL,
    best_slice        INTEGER,  -- the slice with the most labelled pixels
    bytes             INTEGER,  -- of the voxels, image and mask

    num_vertebrae                     INTEGER,
    num_discs                         INTEGER,
    sex                               TEXT,
    age                               REAL,
    orig_subset                       TEXT,
    angio_flag                        TEXT,
    body_part_examined                TEXT,
    device_serial_number              TEXT,
    echo_numbers                      REAL,
    echo_time                         REAL,
    echo_train_length                 REAL,
    flip_angle                        REAL,
    imaged_nucleus                    TEXT,
    imaging_frequency                 REAL,
    in_plane_phase_encoding_direction TEXT,
    mr_acquisition_type               TEXT,
    magnetic_field_strength           REAL,
    manufacturer                      TEXT,
    manufacturer_model_name           TEXT,
    number_of_phase_encoding_steps    INTEGER,
    percent_phase_field_of_view       REAL,
    percent_sampling                  REAL,
    photometric_interpretation        TEXT,
    pixel_bandwidth                   INTEGER,
    pixel_spacing                     TEXT,
    repetition_time                   REAL,
    sar                               REAL,
    samples_per_pixel                 INTEGER,
    scanning_sequence                 TEXT,
    sequence_name                     TEXT,
    series_description                TEXT,
    slice_thickness                   REAL,
    software_versions                 TEXT,
    spacing_between_slices            REAL,
    specific_character_set            TEXT,
    transmit_coil_name                TEXT,
    window_center                     REAL,
    window_width                      REAL
) STRICT;

INSERT INTO scan_facts
SELECT scan_key, scan_id, patient_id, scan_type, split,
       slices, rows, columns, slice_spacing_mm, row_spacing_mm, column_spacing_mm, source_axis_codes,
       element_type, value_min, value_max, value_mean, best_slice, bytes,
       num_vertebrae, num_discs, sex, age, orig_subset, angio_flag, body_part_examined, device_serial_number,
       echo_numbers, echo_time, echo_train_length, flip_angle, imaged_nucleus, imaging_frequency,
       in_plane_phase_encoding_direction, mr_acquisition_type, magnetic_field_strength, manufacturer,
       manufacturer_model_name, number_of_phase_encoding_steps, percent_phase_field_of_view, percent_sampling,
       photometric_interpretation, pixel_bandwidth, pixel_spacing, repetition_time, sar, samples_per_pixel,
       scanning_sequence, sequence_name, series_description, slice_thickness, software_versions,
       spacing_between_slices, specific_character_set, transmit_coil_name, window_center, window_width
FROM scans LEFT JOIN volumes USING (scan_key) LEFT JOIN patients USING (patient_id);

-- The cells of overview.csv as they were, JSON: what is shown is made from them.
CREATE TABLE scan_cells (
    scan_key INTEGER PRIMARY KEY,
    cells    TEXT NOT NULL
) STRICT;

INSERT INTO scan_cells SELECT scan_key, raw FROM scans WHERE raw IS NOT NULL;

-- One row for every scan whose voxels are in the store. Written last, with its slices and labels, in one transaction.
CREATE TABLE volume_records (
    scan_key           INTEGER PRIMARY KEY,
    revision           TEXT NOT NULL,     -- of the contents; part of the group's name in the store
    fingerprint        TEXT NOT NULL,     -- of the source files, to see whether they changed
    image_sha256       TEXT NOT NULL,     -- of the source files
    mask_sha256        TEXT NOT NULL,
    mask_element_type  TEXT NOT NULL,     -- of the mask in the source; it is uint8 in the store
    source_geometry    TEXT NOT NULL,     -- JSON: the source's axes (slowest first) and origin, to the last digit
    auto_low           REAL NOT NULL,     -- window=auto
    auto_high          REAL NOT NULL,
    quantiles          BLOB NOT NULL,     -- 1001 little-endian float64: the 0, 0.1, …, 100 % quantiles
    histogram          TEXT NOT NULL,     -- JSON: counts of equal bins from value_min to value_max
    notes              TEXT NOT NULL      -- JSON: what import found odd
) STRICT;

INSERT INTO volume_records
SELECT scan_key, revision, fingerprint, image_sha256, mask_sha256, mask_element_type, source_geometry,
       auto_low, auto_high, quantiles, histogram, notes
FROM volumes;

DROP TABLE volumes;
DROP TABLE scans;
ALTER TABLE scan_facts RENAME TO scans;
ALTER TABLE volume_records RENAME TO volumes;

CREATE INDEX scans_by_patient ON scans (patient_id, slices);
CREATE INDEX scans_by_split ON scans (split, scan_type, slices);
CREATE INDEX scans_by_age ON scans (age, slices);
CREATE INDEX scans_by_manufacturer ON scans (manufacturer COLLATE NOCASE, slices);

-- Of a patient, what the first of the patient's scans says that says it.
ALTER TABLE patients ADD COLUMN sex TEXT;
ALTER TABLE patients ADD COLUMN age REAL;
UPDATE patients SET
    sex = (SELECT sex FROM scans WHERE scans.patient_id = patients.patient_id AND sex IS NOT NULL ORDER BY scan_key LIMIT 1),
    age = (SELECT age FROM scans WHERE scans.patient_id = patients.patient_id AND age IS NOT NULL ORDER BY scan_key LIMIT 1);

CREATE INDEX gradings_by_grade ON gradings
    (level, pfirrmann, modic, disc_herniation, disc_narrowing, disc_bulging, spondylolisthesis, upper_endplate,
     lower_endplate, patient_id);

-- One row for every slice. Of each class of labels: which levels are there (bit n − 1 is level n), and the pixels of the
-- largest of them.
CREATE TABLE slice_facts (
    scan_key        INTEGER NOT NULL,
    slice           INTEGER NOT NULL,
    labelled_pixels INTEGER NOT NULL,
    vertebra_levels INTEGER NOT NULL,
    partial_levels  INTEGER NOT NULL,
    disc_levels     INTEGER NOT NULL,
    vertebra_pixels INTEGER NOT NULL,
    partial_pixels  INTEGER NOT NULL,
    disc_pixels     INTEGER NOT NULL,
    canal_pixels    INTEGER NOT NULL,
    PRIMARY KEY (scan_key, slice)
) STRICT, WITHOUT ROWID;

INSERT INTO slice_facts
SELECT scan_key, slice, labelled_pixels,
       coalesce(sum((label BETWEEN 1 AND 25) * (1 << (label - 1) % 100)), 0),
       coalesce(sum((label BETWEEN 101 AND 125) * (1 << (label - 1) % 100)), 0),
       coalesce(sum((label BETWEEN 201 AND 225) * (1 << (label - 1) % 100)), 0),
       coalesce(max((label BETWEEN 1 AND 25) * pixels), 0),
       coalesce(max((label BETWEEN 101 AND 125) * pixels), 0),
       coalesce(max((label BETWEEN 201 AND 225) * pixels), 0),
       coalesce(max((label = 100) * pixels), 0)
FROM slices LEFT JOIN slice_labels USING (scan_key, slice)
GROUP BY scan_key, slice;

DROP TABLE slices;
ALTER TABLE slice_facts RENAME TO slices;

CREATE INDEX slice_labels_by_label ON slice_labels (label, scan_key, slice, pixels);

-- How many slices hold a label with exactly so many pixels: what "slices of the train split that hold disc 201 with at
-- least 50 pixels" is counted from. A scan outside the splits counts under ''.
CREATE TABLE label_pixels (
    label     INTEGER NOT NULL,
    split     TEXT NOT NULL,
    scan_type TEXT NOT NULL,
    pixels    INTEGER NOT NULL,
    slices    INTEGER NOT NULL,
    PRIMARY KEY (label, split, scan_type, pixels)
) STRICT, WITHOUT ROWID;

INSERT INTO label_pixels
SELECT label, coalesce(split, ''), scan_type, pixels, count(*)
FROM slice_labels JOIN scans USING (scan_key)
GROUP BY label, coalesce(split, ''), scan_type, pixels;

-- The centroid in millimetres, LPS. Null in what an older version wrote, until a writer opens the index.
ALTER TABLE scan_labels ADD COLUMN x_mm REAL;
ALTER TABLE scan_labels ADD COLUMN y_mm REAL;
ALTER TABLE scan_labels ADD COLUMN z_mm REAL;

-- One row for every disc in every mask: what scan_labels says of it, and the patient's grading of it. Filled by the writer
-- that brings the index up to date, once the labels have their places.
CREATE TABLE discs (
    scan_key          INTEGER NOT NULL,
    label             INTEGER NOT NULL,
    level             INTEGER NOT NULL,
    split             TEXT,
    scan_type         TEXT NOT NULL,
    modic             INTEGER,
    upper_endplate    INTEGER,
    lower_endplate    INTEGER,
    spondylolisthesis INTEGER,
    disc_herniation   INTEGER,
    disc_narrowing    INTEGER,
    disc_bulging      INTEGER,
    pfirrmann         INTEGER,
    voxels            INTEGER NOT NULL,
    volume_mm3        REAL NOT NULL,
    best_slice        INTEGER NOT NULL,
    slice_min         INTEGER NOT NULL,
    slice_max         INTEGER NOT NULL,
    row_min           INTEGER NOT NULL,
    row_max           INTEGER NOT NULL,
    column_min        INTEGER NOT NULL,
    column_max        INTEGER NOT NULL,
    centroid_slice    REAL NOT NULL,
    centroid_row      REAL NOT NULL,
    centroid_column   REAL NOT NULL,
    x_mm              REAL NOT NULL,
    y_mm              REAL NOT NULL,
    z_mm              REAL NOT NULL,
    PRIMARY KEY (scan_key, label)
) STRICT, WITHOUT ROWID;

CREATE INDEX discs_by_grade ON discs
    (level, pfirrmann, modic, disc_herniation, disc_narrowing, disc_bulging, spondylolisthesis, upper_endplate,
     lower_endplate, split, scan_type);
