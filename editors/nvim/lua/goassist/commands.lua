--- :GoAssist and its words.
local notices = require('goassist.notices')
local server = require('goassist.server')
local status = require('goassist.status')

local M = {}

local api = vim.api

-- Text to read, in a split of its own that `q` closes.
local function show(title, text, filetype)
  vim.cmd('botright new')
  local buf = api.nvim_get_current_buf()
  api.nvim_buf_set_lines(buf, 0, -1, false, vim.split(text, '\n', { plain = true }))
  vim.bo[buf].buftype = 'nofile'
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].swapfile = false
  vim.bo[buf].filetype = filetype
  vim.bo[buf].modifiable = false
  pcall(api.nvim_buf_set_name, buf, 'goassist://' .. title)
  vim.wo.wrap = true
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buf, desc = 'close' })
  local lines = api.nvim_buf_line_count(buf)
  api.nvim_win_set_height(0, math.max(3, math.min(lines + 1, math.floor(vim.o.lines / 2))))
end

-- Run one of the server's commands; `use` gets its result.
local function execute(command, arguments, use)
  local client = server.client()
  if not client then
    local how = server.command() and 'it does not run: :GoAssist restart' or ('it is not there: ' .. server.INSTALL)
    notices.tell('goassist: no server, ' .. how, vim.log.levels.WARN)
    return
  end
  local provider = client.server_capabilities.executeCommandProvider
  if not vim.list_contains(provider and provider.commands or {}, command) then
    notices.tell(('goassist: this server does not offer %s'):format(command), vim.log.levels.WARN)
    return
  end
  client:request('workspace/executeCommand', { command = command, arguments = arguments }, function(err, result)
    if err then
      notices.tell(('goassist: %s failed: %s'):format(command, err.message), vim.log.levels.ERROR)
    else
      use(result)
    end
  end)
end

local function paused(result)
  status.paused(result.paused)
  if not result.paused then
    require('goassist.backend').ask_again()
    notices.tell('goassist: suggestions again', vim.log.levels.INFO)
  else
    local minutes = result.minutes
    local long = type(minutes) == 'number' and ('for %g minutes'):format(minutes) or 'until :GoAssist pause'
    notices.tell('goassist: paused ' .. long, vim.log.levels.INFO)
    if type(minutes) == 'number' then
      vim.defer_fn(function()
        status.paused(false)
      end, minutes * 60 * 1000)
    end
  end
end

local function pause_file()
  local buf = api.nvim_get_current_buf()
  local now = not vim.b[buf].goassist_paused
  vim.b[buf].goassist_paused = now
  require('goassist.backend').clear(buf)
  notices.tell(now and 'goassist: paused in this file' or 'goassist: suggestions again', vim.log.levels.INFO)
end

-- A command of the server's program, in a terminal of its own.
local function in_terminal(arguments)
  local command = server.command()
  if not command then
    notices.tell('goassist: there is no server: ' .. server.INSTALL, vim.log.levels.WARN)
    return
  end
  local list = vim.list_extend({ command[1] }, arguments)
  vim.cmd('botright 12new')
  vim.fn.jobstart(list, { term = true })
end

-- What is known of the server; `result` is its own account, nil while there is none.
local function told(result)
  local lines = { '# goassist: ' .. status.of_server(), '' }
  for _, problem in ipairs(notices.problems) do
    table.insert(lines, '- ' .. problem:gsub('\n', ' '))
  end
  if result then
    local last = result.last or {}
    vim.list_extend(lines, {
      '- model: ' .. tostring(result.model or '(none)') .. (result.engine_ready and ', ready' or ', not ready'),
      '- types: ' .. (result.types_ready and 'ready' or 'not ready'),
      '- folders: ' .. table.concat(result.folders or {}, ', '),
      '- paused: ' .. (result.paused and 'yes' or 'no'),
      '- silent because: ' .. tostring(last.skip_reason or result.skip_reason or '-'),
      '',
      '```json',
      vim.json.encode(result),
      '```',
    })
  end
  return table.concat(lines, '\n')
end

local words = {
  status = function()
    if not server.client() then
      return show('status', told(), 'markdown')
    end
    execute('goassist.status', {}, function(result)
      show('status', told(result), 'markdown')
    end)
  end,
  explain = function(what)
    execute('goassist.explain', what and { what } or {}, function(result)
      show('explain', result, 'markdown')
    end)
  end,
  pause = function(what)
    if what == 'file' then
      return pause_file()
    end
    local minutes = tonumber(what)
    if what and not minutes then
      notices.tell('goassist: pause takes minutes, or "file"', vim.log.levels.WARN)
      return
    end
    if server.client() then
      require('goassist.backend').clear(api.nvim_get_current_buf())
    end
    execute('goassist.pause', minutes and { minutes } or {}, paused)
  end,
  reindex = function()
    execute('goassist.reindex', {}, function()
      notices.tell('goassist: the workspaces were read anew', vim.log.levels.INFO)
    end)
  end,
  log = function()
    local log = vim.lsp.log
    vim.cmd.tabnew({ args = { log.get_filename() } })
    vim.cmd('normal! G')
  end,
  doctor = function()
    in_terminal({ 'doctor' })
  end,
  model = function()
    in_terminal({ 'model', 'pull' })
  end,
  restart = function()
    server.restart()
  end,
}

--- Run `:GoAssist WORD …`.
---@param arguments string[]
function M.run(arguments)
  local word = arguments[1] or 'status'
  local action = words[word]
  if action then
    return action(arguments[2])
  end
  local known = vim.tbl_keys(words)
  table.sort(known)
  notices.tell(
    ('goassist: there is no :GoAssist %s; there are %s'):format(word, table.concat(known, ', ')),
    vim.log.levels.WARN
  )
end

--- Words that may follow, for the command line.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local inner = line:match('GoAssist%s+(%a+)%s+%S*$')
  local offered = vim.tbl_keys(words)
  if inner == 'pause' then
    offered = { '10', 'file' }
  elseif inner == 'explain' then
    offered = { 'session' }
  elseif inner then
    offered = {}
  end
  table.sort(offered)
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, offered)
end

return M
