-- Every request is an image that was never rendered: the window's width is different each time.
-- SCANS: id:slices, separated by blanks; QUERY: the rest of the query; FILE: which file of a slice, image.png if not set.
local scans = {}
for scan, slices in string.gmatch(os.getenv("SCANS"), "(%S+):(%d+)") do
  scans[#scans + 1] = { id = scan, slices = tonumber(slices) }
end
local query = os.getenv("QUERY")
local file = os.getenv("FILE") or "image.png"
local n = 0

request = function()
  n = n + 1
  local scan = scans[n % #scans + 1]
  local slice = math.floor(n / #scans) % scan.slices
  return wrk.format("GET", string.format("/v1/scans/%s/slices/%d/%s?%s&window=1000,%d.%d",
    scan.id, slice, file, query, 2000 + n % 997, n))
end
