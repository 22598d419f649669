--- Draws ghost text with extmarks: the first line behind the cursor, the others below. Knows nothing of requests.
local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('goassist.ghost')

-- Tabs of virtual text are not drawn as tabs: they are made into spaces, counted from the column they stand in.
local function expanded(text, column, tabstop)
  local parts = {}
  for before, tab in text:gmatch('([^\t]*)(\t?)') do
    column = column + api.nvim_strwidth(before)
    parts[#parts + 1] = before
    if tab ~= '' then
      local width = tabstop - column % tabstop
      parts[#parts + 1] = (' '):rep(width)
      column = column + width
    end
  end
  return table.concat(parts), column
end

--- Draw `text` at a place of the current window's buffer, in place of what was drawn before.
---@param buf integer
---@param row integer 0-based
---@param col integer 0-based, bytes
---@param text string lines ended by "\n"
---@param replaced string what the text takes the place of, directly behind the cursor
---@param note string? shown behind it, such as "2/3"
function M.show(buf, row, col, text, replaced, note)
  local line = api.nvim_buf_get_lines(buf, row, row + 1, true)[1]
  local rest = line:sub(col + 1)
  local tabstop = vim.bo[buf].tabstop
  local column = vim.fn.strdisplaywidth(line:sub(1, col))
  -- Brackets that the editor has closed already stand at the end of the text as well: do not draw them twice.
  if replaced ~= '' and vim.endswith(text, replaced) then
    text = text:sub(1, #text - #replaced)
    replaced = ''
  end
  local lines = vim.split(text, '\n', { plain = true })
  local first, last = expanded(lines[1], column, tabstop)
  local mark = { hl_mode = 'combine', virt_text = { { first, 'GoassistGhost' } }, virt_text_pos = 'inline' }
  local tail = rest:sub(#replaced + 1)
  if #lines > 1 and rest ~= '' or replaced ~= '' then
    -- What stands behind the cursor moves to the end of the last line: cover it here, repeat it there.
    local covered = vim.fn.strdisplaywidth(line) - last
    mark.virt_text_pos = 'overlay'
    mark.virt_text[1][1] = first .. (#lines == 1 and tail or '')
    local drawn = vim.fn.strdisplaywidth(mark.virt_text[1][1], column) + column
    covered = vim.fn.strdisplaywidth(line) - drawn
    if covered > 0 then
      table.insert(mark.virt_text, { (' '):rep(covered), 'Normal' })
    end
  end
  if #lines > 1 then
    mark.virt_lines = {}
    for index = 2, #lines do
      local shown, width = expanded(lines[index], 0, tabstop)
      local chunks = { { shown, 'GoassistGhost' } }
      if index == #lines and tail ~= '' then
        table.insert(chunks, { (expanded(tail, width, tabstop)), 'Normal' })
      end
      table.insert(mark.virt_lines, chunks)
    end
  end
  if note then
    local chunks = mark.virt_lines and mark.virt_lines[#mark.virt_lines] or mark.virt_text
    table.insert(chunks, { ' ' .. note, 'GoassistGhostMore' })
  end
  -- One mark with one id: drawn anew in place, without a moment in which there is none.
  mark.id = 1
  api.nvim_buf_set_extmark(buf, namespace, row, col, mark)
end

--- Draw nothing.
---@param buf integer
function M.hide(buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

--- What is drawn, for tests and for the curious: the text of all lines, or nil.
---@param buf integer
---@return string?
function M.drawn(buf)
  local mark = api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { details = true })[1]
  if not mark then
    return nil
  end
  local function joined(chunks)
    return table.concat(vim.tbl_map(function(chunk)
      return chunk[1]
    end, chunks))
  end
  local lines = { joined(mark[4].virt_text) }
  for _, chunks in ipairs(mark[4].virt_lines or {}) do
    table.insert(lines, joined(chunks))
  end
  return table.concat(lines, '\n')
end

return M
