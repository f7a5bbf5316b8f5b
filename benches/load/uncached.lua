-- Every request is a picture that was never drawn: the window's width is different each time.
local n = 0
local scans = {}
for scan in string.gmatch(os.getenv("SCANS"), "%S+") do scans[#scans + 1] = scan end
local query = os.getenv("QUERY")

request = function()
  n = n + 1
  local scan = scans[n % #scans + 1]
  local path = string.format("/v1/scans/%s/slices/%d/image.png?%s&window=1000,%d.%d", scan, n % 10, query, 2000 + n % 997, n)
  return wrk.format("GET", path)
end
