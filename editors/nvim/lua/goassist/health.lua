--- :checkhealth goassist
local M = {}

local marks = { ok = 'ok', warning = 'warn', failure = 'error' }

local function look_at_keys(health)
  for name, key in pairs(require('goassist.config').options.keys) do
    if key then
      local other = vim.fn.maparg(key, 'i', false, true)
      local whose = (other.desc or other.rhs or ''):gsub('\n', ' ')
      if next(other) and not whose:find('^goassist') then
        health.info(('%s (%s) is also mapped: %s. It comes first or we give way to it'):format(key, name, whose))
      end
    end
  end
end

local function look_at_others(health)
  for _, other in ipairs({ 'copilot', 'supermaven-nvim', 'codeium', 'llama' }) do
    if package.loaded[other] then
      health.warn(('%s draws ghost text as well'):format(other), 'Switch one of the two off for Go files')
    end
  end
end

-- What `goassist-lsp doctor` sees, line by line.
local function look_with_doctor(health, program)
  local done = vim.system({ program, 'doctor', '--json' }, { text = true }):wait(60000)
  local read, findings = pcall(vim.json.decode, done.stdout or '')
  if not read or type(findings) ~= 'table' then
    health.error('goassist-lsp doctor said nothing that can be read', { vim.trim(done.stderr or '') })
    return
  end
  for _, finding in ipairs(findings) do
    local say = health[marks[finding.state] or 'info']
    local text = ('%s: %s'):format(finding.name, finding.seen)
    if finding.cure ~= '' then
      say(text, finding.cure)
    else
      say(text)
    end
  end
end

function M.check()
  local health = vim.health
  local config = require('goassist.config')
  local server = require('goassist.server')
  health.start('goassist: editor')
  if vim.fn.has('nvim-0.11') == 0 then
    health.error('Neovim 0.11 or later is needed')
    return
  end
  health.ok(('Neovim %s, ghost text: %s'):format(tostring(vim.version()), config.options.ghost))
  look_at_keys(health)
  look_at_others(health)
  for _, problem in ipairs(require('goassist.notices').problems) do
    health.warn(problem)
  end
  health.start('goassist: server')
  local command, looked = server.command()
  if not command then
    health.error('The server was not found. Looked for: ' .. table.concat(looked, ', '), server.INSTALL)
    return
  end
  health.ok(table.concat(command, ' '))
  local client = server.client()
  if client then
    local version = client.server_info and client.server_info.version or '?'
    health.ok(('It runs: version %s, %s'):format(version, require('goassist.status').of_server()))
  else
    health.info('It does not run now; it starts with the first Go file')
  end
  if type(config.options.server) == 'string' then
    look_with_doctor(health, command[1])
  end
end

return M
