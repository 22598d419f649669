--- The plugin's options: defaults, and a clear word about each one that cannot be taken as it is.
local notices = require('goassist.notices')

local M = {}

---@class goassist.Options
M.defaults = {
  --- Command of the server, a string or a list; "" looks for it (see server.lua).
  server = '',
  --- Who draws: 'own', or 'native' for |vim.lsp.inline_completion| of Neovim 0.12.
  ghost = 'own',
  --- The server's settings, by the names of docs/settings.md without "goassist.".
  settings = {},
  --- Keys of insert mode; false maps none.
  keys = {
    accept = '<Tab>',
    accept_word = '<C-Right>',
    accept_line = '<C-Down>',
    next = '<M-n>',
    prev = '<M-p>',
    dismiss = '<C-]>',
    request = '<M-Bslash>',
  },
}

---@type goassist.Options
M.options = vim.deepcopy(M.defaults)

local function wrong(name, given, expected, used)
  local text = ('goassist: option %s was given %s; expected %s. Using %s'):format(
    name,
    vim.inspect(given, { newline = ' ', indent = '' }),
    expected,
    vim.inspect(used)
  )
  notices.once(text, vim.log.levels.WARN)
end

local checks = {
  server = {
    'a command, as a string or a list of strings',
    function(value)
      local list = type(value) == 'string' and { value } or value
      return vim.islist(list) and vim.iter(list):all(function(part)
        return type(part) == 'string'
      end)
    end,
  },
  ghost = {
    "'own' or 'native'",
    function(value)
      return value == 'own' or value == 'native'
    end,
  },
  settings = {
    'a table',
    function(value)
      return type(value) == 'table'
    end,
  },
  keys = {
    'a table of keys, or false',
    function(value)
      return type(value) == 'table' or value == false
    end,
  },
}

local function take_keys(given)
  local keys = vim.deepcopy(M.defaults.keys)
  if given == false then
    return {}
  end
  for name, key in pairs(given) do
    if keys[name] == nil then
      notices.once(('goassist: there is no key named keys.%s; it was left aside'):format(name), vim.log.levels.WARN)
    elseif key ~= false and type(key) ~= 'string' then
      wrong('keys.' .. name, key, 'a key, or false', keys[name])
    else
      keys[name] = key
    end
  end
  return keys
end

--- Resolve what the user gave to setup(); what is wrong is named, and the default used.
---@param given table?
function M.take(given)
  local options = vim.deepcopy(M.defaults)
  if given ~= nil and type(given) ~= 'table' then
    wrong('table', given, 'a table', {})
    given = nil
  end
  for name, value in pairs(given or {}) do
    local check = checks[name]
    if check == nil then
      local hint = 'settings of the server belong into settings = { … }'
      notices.once(('goassist: there is no option %s; it was left aside (%s)'):format(name, hint), vim.log.levels.WARN)
    elseif not check[2](value) then
      wrong(name, value, check[1], options[name])
    else
      options[name] = name == 'keys' and take_keys(value) or value
    end
  end
  if options.ghost == 'native' and not vim.lsp.inline_completion then
    notices.once(
      "goassist: option ghost = 'native' needs vim.lsp.inline_completion of Neovim 0.12. Using 'own'",
      vim.log.levels.WARN
    )
    options.ghost = 'own'
  end
  M.options = options
end

return M
