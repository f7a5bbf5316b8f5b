-- Every request is an image that was never rendered: preset=hf fixes the window, so the size is different each time a slice comes
-- round again, between 482 and 541 pixels either way.
-- SCANS: id:slices, separated by blanks.
local images = {}
for scan, slices in string.gmatch(os.getenv("SCANS"), "(%S+):(%d+)") do
  for slice = 0, tonumber(slices) - 1 do
    images[#images + 1] = string.format("/v1/scans/%s/slices/%d/image.png", scan, slice)
  end
end
local n = 0

request = function()
  local round = math.floor(n / #images)
  local path = string.format("%s?preset=hf&width=%d&height=%d",
    images[n % #images + 1], 482 + round % 60, 482 + math.floor(round / 60) % 60)
  n = n + 1
  return wrk.format("GET", path)
end
