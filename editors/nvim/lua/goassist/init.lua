--- goassist for Neovim: ghost text for Go that has been type-checked. What users and their mappings call.
---
--- The server does the thinking. This plugin starts it (server.lua), asks it and keeps what it said true to the buffer
--- (suggest.lua), draws that (ghost.lua), takes it over (accept.lua) and stays out of the way of others (keys.lua).
local M = {}

--- Take options and start with every Go buffer. Options: |goassist-options|.
---@param options table?
function M.setup(options)
  local notices = require('goassist.notices')
  if vim.fn.has('nvim-0.11') == 0 then
    notices.once('goassist needs Neovim 0.11 or later; this one is older', vim.log.levels.ERROR)
    return
  end
  require('goassist.config').take(options)
  local group = vim.api.nvim_create_augroup('goassist', {})
  -- Before the first key in the buffer, so that completion plugins, which map at InsertEnter, come first and hand on.
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    pattern = 'go',
    desc = 'goassist: start in this buffer',
    callback = function(event)
      M.attach(event.buf)
    end,
  })
  vim.api.nvim_create_autocmd('VimLeavePre', {
    group = group,
    desc = 'goassist: an end that is wanted',
    callback = function()
      require('goassist.server').leaving()
    end,
  })
  -- A buffer under a new name is another document to the server.
  vim.api.nvim_create_autocmd({ 'BufFilePre', 'BufFilePost' }, {
    group = group,
    desc = 'goassist: the file has another name',
    callback = function(event)
      require('goassist.server').renamed(event.buf, event.event == 'BufFilePost')
    end,
  })
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.bo[buf].filetype == 'go' then
      M.attach(buf)
    end
  end
end

--- Map the keys in one buffer and let the server know of it.
---@param buf integer
function M.attach(buf)
  local server = require('goassist.server')
  if not server.wants(buf) then
    return
  end
  require('goassist.keys').map(buf)
  require('goassist.backend').attach(buf)
  server.attach(buf)
end

--- Take the whole suggestion; false when there is none, and the key may mean something else.
---@return boolean
function M.accept()
  return require('goassist.backend').accept('all')
end

--- Take the suggestion up to the next place where the code compiles.
---@return boolean
function M.accept_word()
  return require('goassist.backend').accept('word')
end

--- Take the suggestion up to the next line's end at which the code compiles.
---@return boolean
function M.accept_line()
  return require('goassist.backend').accept('line')
end

--- Show the next candidate; asks for more of them the first time.
---@return boolean
function M.next()
  return require('goassist.backend').cycle(1)
end

--- Show the candidate before.
---@return boolean
function M.prev()
  return require('goassist.backend').cycle(-1)
end

--- Take the ghost text away; it does not come back in this place.
---@return boolean
function M.dismiss()
  return require('goassist.backend').dismiss()
end

--- Ask for a suggestion by hand, also where none is offered by itself.
---@return boolean
function M.request()
  return require('goassist.backend').request()
end

--- Whether ghost text is shown that the accept key would take.
---@return boolean
function M.visible()
  return require('goassist.backend').visible()
end

--- One short text for a status line; "" in buffers that are none of ours.
---@return string
function M.statusline()
  return require('goassist.status').line(vim.api.nvim_get_current_buf())
end

return M
