--- What the user is told: each cause once, in one line that fits the screen, so that no key is lost to a prompt.
local M = {}

local told = {}

--- The whole texts, newest last, for :GoAssist status.
---@type string[]
M.problems = {}

-- Kept free at the end of the message line: Neovim asks for a key when a message fills it.
local SPARE_COLUMNS = 2
local MORE = '… (:GoAssist status)'

local function fitted(text)
  local first = text:match('^[^\r\n]*') or ''
  local room = vim.v.echospace - SPARE_COLUMNS
  if first == text and vim.fn.strdisplaywidth(text) <= room then
    return text
  end
  return vim.fn.strcharpart(first, 0, math.max(0, room - vim.fn.strdisplaywidth(MORE))) .. MORE
end

--- Tell the user, now or as soon as it may be said.
---@param text string
---@param level integer a vim.log.levels value
function M.tell(text, level)
  vim.schedule(function()
    vim.notify(fitted(text), level, { title = 'goassist' })
  end)
end

--- Tell the user of a problem, if this is news.
---@param text string
---@param level integer
function M.once(text, level)
  if told[text] then
    return
  end
  told[text] = true
  table.insert(M.problems, text)
  M.tell(text, level)
end

--- Forget what was said: after a restart it may be news again.
function M.forget()
  told = {}
  M.problems = {}
end

return M
