--- What the assistant is doing, as a word for status lines.
local M = {}

local state = { server = 'off', progress = nil, paused = false }

local function redraw()
  vim.schedule(function()
    vim.cmd.redrawstatus({ bang = true })
  end)
end

--- The server's life: 'off', 'missing', 'starting', 'ready' (it answers; what it still loads is progress), 'dead'.
---@param word string
function M.server(word)
  state.server, state.progress = word, nil
  redraw()
end

---@return string
function M.of_server()
  return state.server
end

---@param yes boolean
function M.paused(yes)
  state.paused = yes
  redraw()
end

--- Work-done progress of the server.
---@param value table lsp.WorkDoneProgressBegin, Report or End
function M.progress(value)
  if value.kind == 'end' then
    state.progress = nil
  else
    state.progress = ('%s%s'):format(
      value.message or 'loading',
      value.percentage and (' %d%%'):format(value.percentage) or ''
    )
  end
  redraw()
end

---@param buf integer
---@return string
function M.line(buf)
  if vim.bo[buf].filetype ~= 'go' or vim.bo[buf].buftype ~= '' then
    return ''
  end
  local word = state.server
  if word == 'ready' or word == 'starting' then
    if state.paused or vim.b[buf].goassist_paused then
      word = 'paused'
    elseif state.progress then
      word = state.progress
    elseif buf == vim.api.nvim_get_current_buf() and require('goassist.backend').waiting() then
      word = 'thinking'
    end
  end
  return 'goassist: ' .. word
end

return M
