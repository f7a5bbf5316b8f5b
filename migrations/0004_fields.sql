-- Which metadata fields the table of scans has: a digest of spider::FIELDS. An index with other fields is brought up to date by the
-- next import, which reads the release's tables again.
ALTER TABLE state ADD COLUMN fields TEXT;

-- Every index up to here has these.
UPDATE state SET fields = 'da61c8754e7b0391';
