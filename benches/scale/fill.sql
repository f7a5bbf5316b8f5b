-- Fills an empty index with made-up facts of as many patients as the one row of `wanted` says. Deterministic: everything
-- is a function of the patient's number. About 2.1 scans a patient, 20 slices a scan, 10 labels a slice.
INSERT INTO patients (patient_id, split, sex, age)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n, wanted WHERE i < wanted.patients)
SELECT i, CASE WHEN i * 7919 % 100 < 68 THEN 'train' WHEN i * 7919 % 100 < 85 THEN 'validation' ELSE 'test' END,
       CASE WHEN i % 50 = 0 THEN NULL WHEN i % 3 = 0 THEN 'M' ELSE 'F' END,
       CASE WHEN i % 20 = 0 THEN NULL ELSE 18 + i * 31 % 70 END
FROM n;

INSERT INTO scans (scan_key, scan_id, patient_id, scan_type, split, slices, rows, columns, slice_spacing_mm,
    row_spacing_mm, column_spacing_mm, source_axis_codes, element_type, value_min, value_max, value_mean, best_slice, bytes,
    num_vertebrae, num_discs, sex, age, orig_subset, echo_time, repetition_time, flip_angle, magnetic_field_strength,
    manufacturer, manufacturer_model_name, mr_acquisition_type, body_part_examined, pixel_spacing, scanning_sequence,
    series_description, slice_thickness, software_versions, window_center, window_width)
SELECT 4 * patient_id + t.type, patient_id || '_' || t.name, patient_id, t.name, split,
       t.slices, 448 + patient_id % 400, 320 + patient_id % 300, 4.4, 0.3 + patient_id % 50 / 100.0, 0.3 + patient_id % 50 / 100.0,
       'PIR', 'int16', 0, 500 + patient_id * 13 % 3000, 100 + patient_id % 200, t.slices / 2, t.slices * 448 * 320 * 3,
       7, 7, sex, age, iif(split = 'test', 'validation', 'training'), 8 + patient_id * 17 % 1000 / 10.0,
       500 + patient_id * 29 % 4000, 90, iif(patient_id % 4 = 0, 3.0, 1.5),
       iif(patient_id % 3 = 0, 'SIEMENS', 'Philips Medical Systems'), 'Model ' || (patient_id % 12), '2D', 'LSPINE',
       '[0.5, 0.5]', '["SE"]', 'series ' || (patient_id % 90), 4, '["5.3.0", "5.3.0.3"]', 500 + patient_id % 700, 900
FROM patients, (SELECT 0 AS type, 't1' AS name, 17 AS slices UNION ALL SELECT 1, 't2', 17 UNION ALL SELECT 2, 't2_SPACE', 50) t
WHERE t.type < 2 OR patient_id % 10 = 0;

INSERT INTO gradings
WITH RECURSIVE level (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM level WHERE n < 7)
SELECT patient_id, n, patient_id * n % 13 = 0, patient_id * n % 7 = 0, patient_id * n % 5 = 0, patient_id * n % 31 = 0,
       patient_id * n % 11 = 0, patient_id * n % 3 = 0, patient_id * n % 4 = 0, 1 + patient_id * (n + 3) % 5
FROM patients, level WHERE patient_id % 60 > 0;

-- A label is in the slices around the middle; its pixels fall off from there.
CREATE TEMP TABLE made_labels AS
WITH RECURSIVE level (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM level WHERE n < 7)
SELECT n AS label FROM level UNION ALL SELECT 100 UNION ALL SELECT 200 + n FROM level;

CREATE TEMP TABLE made_slices AS
WITH RECURSIVE slice (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM slice WHERE n < 49) SELECT n AS slice FROM slice;

INSERT INTO slice_labels
SELECT scan_key, slice, label, 20 + (scan_key * 37 + label * 101 + slice * 53) % 1500, 100, 150, 100, 150, 125.5, 125.5
FROM scans CROSS JOIN made_slices CROSS JOIN made_labels
WHERE slice < slices AND abs(2 * slice - slices) * 3 < slices * 2;

INSERT INTO slices
SELECT scan_key, slice, coalesce(sum(pixels), 0),
       coalesce(sum((label BETWEEN 1 AND 25) * (1 << (label - 1) % 100)), 0), 0,
       coalesce(sum((label BETWEEN 201 AND 225) * (1 << (label - 1) % 100)), 0),
       coalesce(max((label BETWEEN 1 AND 25) * pixels), 0), 0,
       coalesce(max((label BETWEEN 201 AND 225) * pixels), 0),
       coalesce(max((label = 100) * pixels), 0),
       coalesce(unhex(group_concat(format('%08X', pixels), '' ORDER BY label) FILTER (WHERE label BETWEEN 1 AND 25)), x''), x'',
       coalesce(unhex(group_concat(format('%08X', pixels), '' ORDER BY label) FILTER (WHERE label BETWEEN 201 AND 225)), x'')
FROM scans CROSS JOIN made_slices LEFT JOIN slice_labels USING (scan_key, slice)
WHERE slice < slices
GROUP BY scan_key, slice;

INSERT INTO scan_labels
SELECT scan_key, label, slices * 300, best_slice, 2, slices - 3, 100, 150, 100, 150, slices / 2.0, 125.5, 125.5, 1.0, 2.0, 3.0
FROM scans CROSS JOIN made_labels;

INSERT INTO discs
SELECT scan_key, label, label - 200, split, scan_type, modic, upper_endplate, lower_endplate, spondylolisthesis,
       disc_herniation, disc_narrowing, disc_bulging, pfirrmann,
       voxels, voxels * (slice_spacing_mm * row_spacing_mm * column_spacing_mm), scan_labels.best_slice,
       slice_min, slice_max, row_min, row_max, column_min, column_max,
       centroid_slice, centroid_row, centroid_column, x_mm, y_mm, z_mm
FROM scan_labels JOIN scans USING (scan_key)
LEFT JOIN gradings ON gradings.patient_id = scans.patient_id AND gradings.level = label - 200
WHERE label BETWEEN 201 AND 225;

INSERT INTO label_pixels
SELECT label, coalesce(split, ''), scan_type, pixels, count(*)
FROM slice_labels JOIN scans USING (scan_key)
GROUP BY label, coalesce(split, ''), scan_type, pixels;

INSERT INTO volumes
SELECT scan_key, 'made up', 'made up', '', '', 'uint8',
       json_object('axes', json_array(
               json_object('len', slices, 'spacing_mm', slice_spacing_mm, 'direction', json('[1.0, 0.0, 0.0]')),
               json_object('len', rows, 'spacing_mm', row_spacing_mm, 'direction', json('[0.0, 0.0, -1.0]')),
               json_object('len', columns, 'spacing_mm', column_spacing_mm, 'direction', json('[0.0, 1.0, 0.0]'))),
           'origin_mm', json('[0.0, 0.0, 0.0]')),
       0, 1, zeroblob(8008), '[]', '[]'
FROM scans;

UPDATE state SET revision = revision + 1;
