-- preset=hf fixes the window, so the size is different each time, at some 512 x 512 pixels.
local n = 0
local scans = {}
for scan in string.gmatch(os.getenv("SCANS"), "%S+") do scans[#scans + 1] = scan end

request = function()
  n = n + 1
  local round = math.floor(n / (#scans * 10))
  local path = string.format("/v1/scans/%s/slices/%d/image.png?preset=hf&width=%d&height=%d",
    scans[n % #scans + 1], math.floor(n / #scans) % 10, 482 + round % 60, 482 + math.floor(round / 60) % 60)
  return wrk.format("GET", path)
end
