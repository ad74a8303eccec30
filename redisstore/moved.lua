-- The rules of one move: the methods of Move in section_move.go, in functions of the same names and order.

-- is_old reports whether a move is older than FINALITY.
local function is_old(m) return math.floor(now / 1000) - m[VERSION] > FINALITY / 1000 end

-- concerns reports whether a section is the one that moved, or below it.
local function concerns(m, section)
  local from = m[FROM]
  return section:sub(1, #from) == from and (#section == #from or section:sub(#from + 1, #from + 1) == '/')
end

-- apply returns where a section is after a move. One whose path would be too long stays where it is. The characters of
-- UTF-8 are counted by the bytes that begin one.
local function apply(m, section)
  if not concerns(m, section) then return section end
  local moved = m[TO] .. section:sub(#m[FROM] + 1)
  local _, length = moved:gsub('[^\128-\191]', '')
  return length <= MAX_SECTION and moved or section
end
