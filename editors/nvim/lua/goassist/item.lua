--- An item of the server as bytes of the buffer: what stands there now, what it would become, where it may be left.
local M = {}

local api = vim.api

---@class goassist.Item
---@field buf integer
---@field client_id integer
---@field row integer 0-based line of the item's range
---@field head string the line's text before the range
---@field text string what is to stand behind `head`, lines ended by "\n"
---@field replaced string what the text takes the place of, behind the cursor
---@field tail string the line's text behind the range
---@field line_count integer lines of the buffer without any of the text's own
---@field points integer[] bytes of `text` after which it may be left
---@field command table? run once it has been taken
---@field reported boolean? whether that was done

-- Neovim keeps lines of files with fileformat=dos without their carriage returns; the server sees and sends them.
local function in_buffer(text, buf)
  return vim.bo[buf].fileformat == 'dos' and (text:gsub('\r\n', '\n')) or text
end

local function byte_column(buf, position, encoding)
  local line = api.nvim_buf_get_lines(buf, position.line, position.line + 1, false)[1] or ''
  return vim.str_byteindex(line, encoding, position.character, false)
end

local function points_of(raw, text, encoding, buf)
  local command = raw.command
  local sent = command and command.arguments and command.arguments[4]
  local points = {}
  for _, units in ipairs(type(sent) == 'table' and sent or {}) do
    local bytes = vim.str_byteindex(text, encoding, units, false)
    points[#points + 1] = #in_buffer(text:sub(1, bytes), buf)
  end
  return points
end

--- The item as it fits the buffer now; nil when it does not fit.
---@param buf integer
---@param client vim.lsp.Client
---@param raw table an lsp.InlineCompletionItem
---@param row integer cursor, 0-based
---@param col integer cursor, bytes
---@return goassist.Item?
function M.of(buf, client, raw, row, col)
  local text = type(raw.insertText) == 'table' and raw.insertText.value or raw.insertText
  local line = api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
  if type(text) ~= 'string' or not line then
    return nil
  end
  local from, to = col, col
  if raw.range then
    local range = raw.range
    if range.start.line ~= row or range['end'].line ~= row then
      return nil
    end
    from = byte_column(buf, range.start, client.offset_encoding)
    to = math.max(col, byte_column(buf, range['end'], client.offset_encoding))
  end
  local item = {
    buf = buf,
    client_id = client.id,
    row = row,
    head = line:sub(1, from),
    text = in_buffer(text, buf),
    replaced = line:sub(col + 1, to),
    tail = line:sub(to + 1),
    line_count = api.nvim_buf_line_count(buf),
    points = points_of(raw, text, client.offset_encoding, buf),
    command = raw.command,
  }
  return M.typed(item, row, col) and item or nil
end

--- How many bytes of the item's text stand in the buffer already; nil when the buffer is not what it was made for.
---
--- Everything that may have happened in between is found out by this one comparison, at each key and before each edit.
---@param item goassist.Item
---@param row integer cursor, 0-based
---@param col integer cursor, bytes
---@return integer?
function M.typed(item, row, col)
  if not api.nvim_buf_is_loaded(item.buf) or row < item.row then
    return nil
  end
  local lines = api.nvim_buf_get_lines(item.buf, item.row, row + 1, false)
  local last = lines[#lines]
  if #lines ~= row - item.row + 1 or last:sub(col + 1) ~= item.replaced .. item.tail then
    return nil
  end
  lines[#lines] = last:sub(1, col)
  local typed = #table.concat(lines, '\n') - #item.head
  if typed < 0 or typed >= #item.text or table.concat(lines, '\n') ~= item.head .. item.text:sub(1, typed) then
    return nil
  end
  return api.nvim_buf_line_count(item.buf) == item.line_count + #lines - 1 and typed or nil
end

--- The end of the next part behind `typed`, in bytes of the text.
---@param item goassist.Item
---@param typed integer
---@param part 'all'|'word'|'line'
---@return integer
function M.part_end(item, typed, part)
  if part ~= 'all' then
    for _, point in ipairs(item.points) do
      if point > typed and (part == 'word' or item.text:sub(point + 1, point + 1):match('[\r\n]')) then
        return point
      end
    end
  end
  return #item.text
end

return M
