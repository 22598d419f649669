--- Takes an item, or a part of it, into the buffer: text and imports as one step of undo.
local items = require('goassist.item')

local M = {}

local api = vim.api

-- The step of undo that the imports belong to, while they are on their way.
---@type {buf: integer, step: integer}?
local awaited

-- Setting the option ends the present step of undo, whatever its value; see |undo-break|.
local function break_undo(buf)
  vim.bo[buf].undolevels = vim.bo[buf].undolevels
end

local function step_of(buf)
  return api.nvim_buf_call(buf, vim.fn.undotree).seq_cur
end

--- Tell the server that an item was taken; it adds the imports by workspace/applyEdit before it answers.
---@param item goassist.Item
function M.report(item)
  local client = vim.lsp.get_client_by_id(item.client_id)
  if item.reported or not item.command or not client then
    return
  end
  item.reported = true
  awaited = { buf = item.buf, step = step_of(item.buf) }
  client:request('workspace/executeCommand', {
    command = item.command.command,
    arguments = item.command.arguments,
  }, function()
    awaited = nil
    -- What is typed from here on is a step of its own.
    if api.nvim_buf_is_loaded(item.buf) then
      break_undo(item.buf)
    end
  end, item.buf)
end

--- workspace/applyEdit of our server: the imports join the step of undo of the text that needs them.
function M.apply_edit(err, params, context)
  local buf = awaited and awaited.buf
  if buf and api.nvim_buf_is_loaded(buf) and step_of(buf) == awaited.step then
    api.nvim_buf_call(buf, function()
      -- Nothing to join when the user has undone the text meanwhile: then the imports are a step of their own.
      pcall(vim.cmd.undojoin)
    end)
  end
  -- Neovim would print the label, in the middle of typing.
  params.label = nil
  return vim.lsp.handlers['workspace/applyEdit'](err, params, context)
end

-- A package is used only where its name is qualified. Imports come with the first part that may need them.
local function may_need_import(text)
  return text:find('[%a_][%w_]*%.') ~= nil
end

--- Take the item's text from what stands there already up to `stop`. The caller has seen that the item fits.
---@param item goassist.Item
---@param typed integer bytes that stand in the buffer
---@param stop integer bytes that shall
function M.take(item, typed, stop)
  local window = api.nvim_get_current_win()
  local row, col = unpack(api.nvim_win_get_cursor(window))
  row = row - 1
  local part = item.text:sub(typed + 1, stop)
  local whole = stop == #item.text
  local lines = vim.split(part, '\n', { plain = true })
  break_undo(item.buf)
  api.nvim_buf_set_text(item.buf, row, col, row, col + (whole and #item.replaced or 0), lines)
  local last = lines[#lines]
  api.nvim_win_set_cursor(window, { row + #lines, #lines == 1 and col + #last or #last })
  if whole or may_need_import(item.text:sub(1, stop)) then
    M.report(item)
  end
end

--- Whether the item fits the cursor, and how much of it stands there.
---@param item goassist.Item
---@return integer?
function M.typed_at_cursor(item)
  if api.nvim_get_current_buf() ~= item.buf then
    return nil
  end
  local row, col = unpack(api.nvim_win_get_cursor(0))
  return items.typed(item, row - 1, col)
end

return M
