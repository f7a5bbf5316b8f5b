-- How large every label of a class is in a slice, beside the largest of them: "slices that hold one of these labels with at
-- least so many pixels" then reads one narrow table, whatever the labels. Level n has a big-endian uint32 at byte 4 (n − 1), so
-- that comparing bytes compares pixels; what lies behind the highest level that is there is left out.
ALTER TABLE slices ADD COLUMN vertebra_sizes BLOB NOT NULL DEFAULT x'';
ALTER TABLE slices ADD COLUMN partial_sizes BLOB NOT NULL DEFAULT x'';
ALTER TABLE slices ADD COLUMN disc_sizes BLOB NOT NULL DEFAULT x'';

CREATE TEMP TABLE levels AS
WITH RECURSIVE level (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM level WHERE n < 25) SELECT n FROM level;

UPDATE slices SET
    vertebra_sizes = coalesce(unhex((
        SELECT group_concat(format('%08X', coalesce(pixels, 0)), '' ORDER BY n)
        FROM levels LEFT JOIN slice_labels h
            ON h.scan_key = slices.scan_key AND h.slice = slices.slice AND h.label = n
        WHERE 1 << (n - 1) <= vertebra_levels)), x''),
    partial_sizes = coalesce(unhex((
        SELECT group_concat(format('%08X', coalesce(pixels, 0)), '' ORDER BY n)
        FROM levels LEFT JOIN slice_labels h
            ON h.scan_key = slices.scan_key AND h.slice = slices.slice AND h.label = n + 100
        WHERE 1 << (n - 1) <= partial_levels)), x''),
    disc_sizes = coalesce(unhex((
        SELECT group_concat(format('%08X', coalesce(pixels, 0)), '' ORDER BY n)
        FROM levels LEFT JOIN slice_labels h
            ON h.scan_key = slices.scan_key AND h.slice = slices.slice AND h.label = n + 200
        WHERE 1 << (n - 1) <= disc_levels)), x'');

DROP TABLE levels;
