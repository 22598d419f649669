--- Insert mode's keys: ours while there is ghost text to take, whoever had them otherwise.
local backend = require('goassist.backend')
local config = require('goassist.config')

local M = {}

local api = vim.api

-- Plugins with a list of their own, and how they tell that it is open.
local lists = {
  {
    'blink.cmp',
    function(blink)
      return blink.is_menu_visible()
    end,
  },
  {
    'cmp',
    function(cmp)
      return cmp.visible()
    end,
  },
}

---@return boolean
local function list_open()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  for _, list in ipairs(lists) do
    local plugin = package.loaded[list[1]]
    if type(plugin) == 'table' then
      local asked, open = pcall(list[2], plugin)
      if asked and open then
        return true
      end
    end
  end
  return false
end

local function feed(keys, mode)
  api.nvim_feedkeys(vim.keycode(keys), mode, false)
end

-- What the key did before it was mapped here, or does by itself. Fed in front of what is typed: the order stays.
local function give_way(lhs, before)
  if not before then
    return feed(lhs, 'in')
  end
  local mode = before.noremap == 1 and 'in' or 'im'
  local rhs = before.rhs and before.rhs:gsub('<[Ss][Ii][Dd]>', ('<SNR>%d_'):format(before.sid)) or nil
  if before.expr ~= 1 then
    if before.callback then
      before.callback()
    else
      feed(rhs, mode)
    end
    return
  end
  local keys = before.callback and before.callback() or rhs and api.nvim_eval(rhs)
  if type(keys) == 'string' then
    -- Expressions of Vim script give raw bytes, those of Lua names in <> if they say so.
    local raw = before.replace_keycodes ~= 1
    api.nvim_feedkeys(raw and keys or vim.keycode(keys), mode, false)
  end
end

-- Neovim's own <Tab> jumps in a snippet if there is one, and is a tab otherwise.
local function is_default(before)
  return before == nil or (before.desc or ''):find('^vim%.snippet%.jump') ~= nil
end

local function in_snippet()
  return vim.snippet and vim.snippet.active({ direction = 1 })
end

-- A Tab in front of a line's first character is an indentation when the line is not as far in as the line above
-- suggests, or when the suggestion itself begins by indenting: typing does that too.
local function would_indent()
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local line = api.nvim_get_current_line()
  if line:sub(1, col):find('%S') then
    return false
  end
  local shown = backend.current()
  if shown and shown.text:find('^[ \t]', shown.typed + 1) then
    return true
  end
  local above = vim.fn.prevnonblank(row - 1)
  if above == 0 then
    return false
  end
  local opens = vim.fn.getline(above):find('[{(%[:]%s*$') ~= nil
  local wanted = vim.fn.indent(above) + (opens and vim.fn.shiftwidth() or 0)
  return vim.fn.strdisplaywidth(line:sub(1, col)) < wanted
end

-- Whether the accept key belongs to somebody else just now.
local function is_taken(lhs, before)
  if in_snippet() or (list_open() and not is_default(before)) then
    return true
  end
  return lhs:lower() == '<tab>' and would_indent()
end

local actions = {
  accept = function()
    return backend.accept('all')
  end,
  accept_word = function()
    return backend.accept('word')
  end,
  accept_line = function()
    return backend.accept('line')
  end,
  next = function()
    return backend.cycle(1)
  end,
  prev = function()
    return backend.cycle(-1)
  end,
  dismiss = function()
    return backend.dismiss()
  end,
  request = function()
    return backend.request()
  end,
}

local taking = { accept = true, accept_word = true, accept_line = true }

local function pressed(name, lhs, before)
  if taking[name] and backend.visible() then
    if name == 'accept' and is_taken(lhs, before) then
      return give_way(lhs, before)
    end
    if vim.fn.pumvisible() == 1 then
      -- The popup menu keeps a copy of the line: close it first, with what is in the line, then come back.
      local retry = ("<Cmd>lua require('goassist.keys').take('%s')<CR>"):format(name)
      return api.nvim_feedkeys(vim.keycode('<C-y>' .. retry), 'in', false)
    end
  end
  -- Escape and the like close one thing at a time: an open list first.
  if name == 'dismiss' and list_open() and before then
    return give_way(lhs, before)
  end
  if not actions[name]() then
    give_way(lhs, before)
  end
end

--- Do what a key stands for, without giving way.
---@param name string
function M.take(name)
  actions[name]()
end

--- Map the keys in a buffer. Keys that the user has mapped in this buffer to something of ours stay as they are.
---@param buf integer
function M.map(buf)
  if vim.b[buf].goassist_mapped then
    return
  end
  vim.b[buf].goassist_mapped = true
  api.nvim_buf_call(buf, function()
    for name, lhs in pairs(config.options.keys) do
      if lhs and actions[name] then
        local before = vim.fn.maparg(lhs, 'i', false, true)
        before = next(before) and before or nil
        vim.keymap.set('i', lhs, function()
          pressed(name, lhs, before)
        end, { buffer = buf, silent = true, desc = 'goassist: ' .. name:gsub('_', ' ') })
      end
    end
  end)
end

return M
