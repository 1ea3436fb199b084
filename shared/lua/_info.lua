-- What the server says of itself.

-- A field of an INFO text; nil if it is not there.  The text is searched for the plain name: a pattern would be tried at
-- each of its thousands of places, which takes longer than all else that a submit does.
local function info_field(info, name)
  local _, last = string.find(info, '\n' .. name .. ':', 1, true)
  return last and string.match(info, '^%w*', last + 1)
end
