-- What is known of the data set. Voxels lie in the store; this says what they are.

-- One row. `revision` grows with every change, so that readers know when to look again.
CREATE TABLE state (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    revision     INTEGER NOT NULL,
    tables_sha256 TEXT
) STRICT;

INSERT INTO state (id, revision) VALUES (1, 0);

CREATE TABLE patients (
    patient_id INTEGER PRIMARY KEY,
    split      TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test'))
) STRICT;

-- One row for every row of overview.csv, and for every volume that has none.
-- scan_key = 4 * patient_id + position of the scan type: the natural order of scans, the same in every import.
-- The metadata columns are named and typed as in spider::FIELDS; lists are JSON. `raw` keeps the cells as they were.
CREATE TABLE scans (
    scan_key    INTEGER PRIMARY KEY,
    scan_id     TEXT NOT NULL UNIQUE,
    patient_id  INTEGER NOT NULL,
    scan_type   TEXT NOT NULL,
    raw         TEXT,

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

CREATE INDEX scans_by_patient ON scans (patient_id);

CREATE TABLE gradings (
    patient_id        INTEGER NOT NULL,
    level             INTEGER NOT NULL,
    modic             INTEGER,
    upper_endplate    INTEGER,
    lower_endplate    INTEGER,
    spondylolisthesis INTEGER,
    disc_herniation   INTEGER,
    disc_narrowing    INTEGER,
    disc_bulging      INTEGER,
    pfirrmann         INTEGER,
    PRIMARY KEY (patient_id, level)
) STRICT, WITHOUT ROWID;

-- One row for every scan whose voxels are in the store. Written last, with its slices and labels, in one transaction.
CREATE TABLE volumes (
    scan_key           INTEGER PRIMARY KEY REFERENCES scans (scan_key),
    revision           TEXT NOT NULL,     -- of the contents; part of the group's name in the store
    fingerprint        TEXT NOT NULL,     -- of the source files, to see whether they changed
    image_sha256       TEXT NOT NULL,     -- of the source files
    mask_sha256        TEXT NOT NULL,
    element_type       TEXT NOT NULL,     -- of the image, in the source and in the store
    mask_element_type  TEXT NOT NULL,     -- of the mask in the source; it is uint8 in the store
    source_geometry    TEXT NOT NULL,     -- JSON: the source's axes (slowest first) and origin, to the last digit
    source_axis_codes  TEXT NOT NULL,     -- of the source's i, j, k
    slices             INTEGER NOT NULL,  -- canonical shape and spacing
    rows               INTEGER NOT NULL,
    columns            INTEGER NOT NULL,
    slice_spacing_mm   REAL NOT NULL,
    row_spacing_mm     REAL NOT NULL,
    column_spacing_mm  REAL NOT NULL,
    value_min          REAL NOT NULL,
    value_max          REAL NOT NULL,
    value_mean         REAL NOT NULL,
    auto_low           REAL NOT NULL,     -- window=auto
    auto_high          REAL NOT NULL,
    quantiles          BLOB NOT NULL,     -- 1001 little-endian float64: the 0, 0.1, …, 100 % quantiles
    histogram          TEXT NOT NULL,     -- JSON: counts of equal bins from value_min to value_max
    best_slice         INTEGER NOT NULL,  -- the slice with the most labelled pixels
    bytes              INTEGER NOT NULL,  -- of the voxels, image and mask
    notes              TEXT NOT NULL      -- JSON: what import found odd
) STRICT;

CREATE TABLE slices (
    scan_key        INTEGER NOT NULL,
    slice           INTEGER NOT NULL,
    labelled_pixels INTEGER NOT NULL,
    PRIMARY KEY (scan_key, slice)
) STRICT, WITHOUT ROWID;

-- One row for every label (background apart) in every slice. Pixels are native ones; the box is inclusive.
CREATE TABLE slice_labels (
    scan_key        INTEGER NOT NULL,
    slice           INTEGER NOT NULL,
    label           INTEGER NOT NULL,
    pixels          INTEGER NOT NULL,
    row_min         INTEGER NOT NULL,
    row_max         INTEGER NOT NULL,
    column_min      INTEGER NOT NULL,
    column_max      INTEGER NOT NULL,
    centroid_row    REAL NOT NULL,
    centroid_column REAL NOT NULL,
    PRIMARY KEY (scan_key, slice, label)
) STRICT, WITHOUT ROWID;

-- The same over the whole scan.
CREATE TABLE scan_labels (
    scan_key        INTEGER NOT NULL,
    label           INTEGER NOT NULL,
    voxels          INTEGER NOT NULL,
    best_slice      INTEGER NOT NULL,
    slice_min       INTEGER NOT NULL,
    slice_max       INTEGER NOT NULL,
    row_min         INTEGER NOT NULL,
    row_max         INTEGER NOT NULL,
    column_min      INTEGER NOT NULL,
    column_max      INTEGER NOT NULL,
    centroid_slice  REAL NOT NULL,
    centroid_row    REAL NOT NULL,
    centroid_column REAL NOT NULL,
    PRIMARY KEY (scan_key, label)
) STRICT, WITHOUT ROWID;
