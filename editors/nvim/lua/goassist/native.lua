--- Ghost text by |vim.lsp.inline_completion| of Neovim 0.12, for those who want one look for all servers.
---
--- Neovim asks, draws and cycles; taking is ours, for parts, for one step of undo, and because the text may have changed
--- since the item came: Neovim shows it 200 ms longer, and would insert it at its old place.
local accept = require('goassist.accept')
local items = require('goassist.item')
local server = require('goassist.server')

local M = {}

local api = vim.api
local inline = vim.lsp.inline_completion

local function draws(buf)
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = buf, name = 'goassist' })) do
    if inline.is_enabled({ bufnr = buf, client_id = client.id }) then
      return true
    end
  end
  return false
end

---@param buf integer
function M.attach(buf)
  inline.enable(true, { bufnr = buf })
  -- What was dismissed is gone until insert mode is entered again: the API keeps no rejections.
  api.nvim_create_autocmd('InsertLeave', {
    group = api.nvim_create_augroup('goassist.native.' .. buf, {}),
    buffer = buf,
    desc = 'goassist: suggestions again after a dismissal',
    callback = function()
      if not vim.b[buf].goassist_paused then
        inline.enable(true, { bufnr = buf })
      end
    end,
  })
end

--- Take away what is shown; with `goassist_paused` there is nothing more until that is over.
---@param buf integer
function M.clear(buf)
  inline.enable(false, { bufnr = buf })
  inline.enable(not vim.b[buf].goassist_paused, { bufnr = buf })
end

function M.ask_again() end

---@return boolean
function M.visible()
  local buf = api.nvim_get_current_buf()
  local namespace = api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  return namespace ~= nil and draws(buf) and #api.nvim_buf_get_extmarks(buf, namespace, 0, -1, {}) > 0
end

--- The API tells neither what is left nor whether an answer is still to come.
function M.current()
  return nil
end

---@return boolean
function M.waiting()
  return false
end

-- The API's item in the form of the protocol.
local function raw_of(found, client, buf)
  local range = found.range
    and vim.lsp.util.make_given_range_params(
      { found.range.start_row + 1, found.range.start_col },
      { found.range.end_row + 1, found.range.end_col },
      buf,
      client.offset_encoding
    ).range
  if range then
    -- make_given_range_params counts the last character in.
    range['end'] = vim.deepcopy(range.start)
    local line = api.nvim_buf_get_lines(buf, found.range.end_row, found.range.end_row + 1, false)[1] or ''
    range['end'].character = vim.str_utfindex(line, client.offset_encoding, math.min(#line, found.range.end_col), false)
  end
  return { insertText = found.insert_text, range = range, command = found.command }
end

---@param part 'all'|'word'|'line'
---@return boolean
function M.accept(part)
  if not M.visible() then
    return false
  end
  return inline.get({
    on_accept = function(found)
      local buf = api.nvim_get_current_buf()
      local client = vim.lsp.get_client_by_id(found.client_id)
      if not client or client ~= server.client() then
        return found
      end
      local row, col = unpack(api.nvim_win_get_cursor(0))
      local item = items.of(buf, client, raw_of(found, client, buf), row - 1, col)
      local typed = item and accept.typed_at_cursor(item)
      if item and typed then
        accept.take(item, typed, items.part_end(item, typed, part))
      end
    end,
  })
end

---@param step integer
---@return boolean
function M.cycle(step)
  if not M.visible() then
    return false
  end
  inline.select({ count = step })
  return true
end

---@return boolean
function M.dismiss()
  if not M.visible() then
    return false
  end
  inline.enable(false, { bufnr = api.nvim_get_current_buf() })
  return true
end

--- The API asks by itself only.
---@return boolean
function M.request()
  return false
end

return M
