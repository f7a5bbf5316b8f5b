-- Every request is an image that was never rendered: the window's width is different each time.
-- SCANS: id:slices, separated by blanks; QUERY: the rest of the query.
local scans = {}
for scan, slices in string.gmatch(os.getenv("SCANS"), "(%S+):(%d+)") do
  scans[#scans + 1] = { id = scan, slices = tonumber(slices) }
end
local query = os.getenv("QUERY")
local n = 0

request = function()
  n = n + 1
  local scan = scans[n % #scans + 1]
  local slice = math.floor(n / #scans) % scan.slices
  return wrk.format("GET", string.format("/v1/scans/%s/slices/%d/image.png?%s&window=1000,%d.%d",
    scan.id, slice, query, 2000 + n % 997, n))
end
