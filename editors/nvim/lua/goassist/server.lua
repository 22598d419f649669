--- The server's process: finds it, starts one for all Go buffers, and brings it back when it dies.
local config = require('goassist.config')
local notices = require('goassist.notices')
local status = require('goassist.status')

local M = {}

local api = vim.api

M.NAME = 'goassist'
M.INSTALL = 'pip install goassist-lsp'
-- The oldest server that speaks as this plugin expects.
M.OLDEST = '0.1.0'
local MAX_DEATHS = 3
local DEATHS_WITHIN_MS = 5 * 60 * 1000
local RESTART_MS = 500

local deaths = {} ---@type number[]
local wanted_end = false
local given_up = false

--- Whether a buffer is a Go file that the server can know: a file of this machine, or one to be.
---@param buf integer
---@return boolean
function M.wants(buf)
  local name = api.nvim_buf_get_name(buf)
  return api.nvim_buf_is_loaded(buf)
    and vim.bo[buf].filetype == 'go'
    and vim.bo[buf].buftype == ''
    and name ~= ''
    and not name:find('^%a[%w+.-]+://')
end

local function plugin_root()
  local source = debug.getinfo(1, 'S').source:sub(2)
  return vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.normalize(source))))
end

--- The server's command, and where it was looked for. The option, $PATH, the checkout that this plugin is part of,
--- the place where `pip install --user`, pipx and uv put commands.
---@return string[]? command
---@return string[] looked
function M.command()
  local given = config.options.server
  if given ~= '' then
    local list = type(given) == 'table' and vim.deepcopy(given) or { given }
    local found = vim.fn.exepath(vim.fn.expand(list[1]))
    list[1] = found
    -- A command alone is told how to talk; a list is taken as it is.
    if type(given) == 'string' then
      list[2] = '--stdio'
    end
    return found ~= '' and list or nil, { type(given) == 'table' and given[1] or given }
  end
  local checkout = vim.fs.joinpath(plugin_root(), '..', '..', '.venv')
  local looked = {
    'goassist-lsp',
    vim.fs.joinpath(checkout, 'bin', 'goassist-lsp'),
    vim.fs.joinpath(checkout, 'Scripts', 'goassist-lsp.exe'),
    vim.fs.joinpath(vim.env.HOME or '', '.local', 'bin', 'goassist-lsp'),
  }
  for _, name in ipairs(looked) do
    local found = vim.fn.exepath(name)
    if found ~= '' then
      return { found, '--stdio' }, looked
    end
  end
  return nil, looked
end

--- The client that runs, if one does.
---@return vim.lsp.Client?
function M.client()
  for _, client in ipairs(vim.lsp.get_clients({ name = M.NAME })) do
    if not client:is_stopped() then
      return client
    end
  end
end

local function attach_all()
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if M.wants(buf) then
      M.attach(buf)
    end
  end
end

local function died(code, signal)
  if wanted_end then
    status.server('off')
    return
  end
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if vim.b[buf].goassist_mapped then
      require('goassist.backend').clear(buf)
    end
  end
  status.server('dead')
  local now = vim.uv.now()
  deaths = vim.tbl_filter(function(moment)
    return now - moment < DEATHS_WITHIN_MS
  end, deaths)
  table.insert(deaths, now)
  if #deaths >= MAX_DEATHS then
    given_up = true
    local how = signal ~= 0 and ('signal %d'):format(signal) or ('status %d'):format(code)
    local text = 'goassist: the server died %d times (%s). :GoAssist log, :GoAssist restart'
    notices.once(text:format(#deaths, how), vim.log.levels.ERROR)
    return
  end
  vim.defer_fn(function()
    if not wanted_end then
      attach_all()
    end
  end, RESTART_MS)
end

local function capabilities()
  local can = vim.lsp.protocol.make_client_capabilities()
  -- Neovim 0.11 does not say so by itself; the server offers its list of completions to those who do not.
  can.textDocument.inlineCompletion = { dynamicRegistration = false }
  return can
end

-- An empty table of Lua would be sent as a list.
local function settings()
  local own = config.options.settings
  return next(own) and own or vim.empty_dict()
end

local function start_process(command)
  return function(dispatchers)
    return vim.lsp.rpc.start(command, {
      notification = dispatchers.notification,
      server_request = dispatchers.server_request,
      on_error = dispatchers.on_error,
      on_exit = function(code, signal)
        vim.schedule(function()
          died(code, signal)
        end)
        -- Neovim would have its own word about each death.
        dispatchers.on_exit(0, 0)
      end,
    })
  end
end

local function check_version(client)
  local info = client.server_info
  local version = info and info.version and vim.version.parse(info.version, { strict = false })
  if version and vim.version.lt(version, M.OLDEST) then
    local text = 'goassist: server %s is too old, %s is needed: pip install --upgrade goassist-lsp'
    notices.once(text:format(info.version, M.OLDEST), vim.log.levels.WARN)
  end
end

local function has_folder(client, folder)
  return vim.iter(client.workspace_folders or {}):any(function(known)
    return vim.startswith(folder, vim.uri_to_fname(known.uri))
  end)
end

-- One server, one model in memory, for all the modules that are open.
local function add_folder(client, root)
  if has_folder(client, root) then
    return
  end
  local folder = { uri = vim.uri_from_fname(root), name = vim.fs.basename(root) }
  client.workspace_folders = client.workspace_folders or {}
  table.insert(client.workspace_folders, folder)
  client:notify('workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
end

local function root_of(buf)
  return vim.fs.root(buf, 'go.work') or vim.fs.root(buf, 'go.mod') or vim.fs.dirname(api.nvim_buf_get_name(buf))
end

local handlers = {
  ['workspace/applyEdit'] = function(...)
    return require('goassist.accept').apply_edit(...)
  end,
  ['window/showMessage'] = function(_, params)
    local level = ({ vim.log.levels.ERROR, vim.log.levels.WARN })[params.type] or vim.log.levels.INFO
    notices.once(params.message, level)
  end,
  ['$/progress'] = function(err, params, context)
    status.progress(params.value)
    if params.value.kind == 'end' then
      require('goassist.backend').ask_again()
    end
    return vim.lsp.handlers['$/progress'](err, params, context)
  end,
}

--- Have the server know a buffer; starts it if it does not run.
---@param buf integer
function M.attach(buf)
  if given_up or not M.wants(buf) then
    return
  end
  local running = M.client()
  local command, looked = M.command()
  if not running and not command then
    status.server('missing')
    local text = 'goassist: no server: %s, then :GoAssist restart. Looked for: %s'
    notices.once(text:format(M.INSTALL, table.concat(looked, ', ')), vim.log.levels.ERROR)
    return
  end
  if not running then
    status.server('starting')
  end
  wanted_end = false
  local root = root_of(buf)
  vim.lsp.start({
    name = M.NAME,
    cmd = start_process(command),
    root_dir = root,
    capabilities = capabilities(),
    init_options = settings(),
    settings = { goassist = settings() },
    handlers = handlers,
    on_init = function(client)
      status.server('ready')
      check_version(client)
    end,
    on_attach = function(client, attached)
      add_folder(client, root_of(attached))
      if vim.lsp.inline_completion and config.options.ghost == 'own' then
        -- Whoever has it on for all servers would see our text twice.
        vim.lsp.inline_completion.enable(false, { client_id = client.id })
      end
    end,
  }, {
    bufnr = buf,
    reuse_client = function(client)
      return client.name == M.NAME and not client:is_stopped()
    end,
  })
end

--- A buffer is about to get another name, or has got it.
---@param buf integer
---@param done boolean
function M.renamed(buf, done)
  local client = M.client()
  if done then
    if vim.b[buf].goassist_mapped then
      M.attach(buf)
    end
  elseif client and vim.lsp.buf_is_attached(buf, client.id) then
    require('goassist.backend').clear(buf)
    vim.lsp.buf_detach_client(buf, client.id)
  end
end

--- Neovim is being left: the server's end is no death.
function M.leaving()
  wanted_end = true
end

--- End the server if it runs, and start it anew.
function M.restart()
  deaths, given_up = {}, false
  notices.forget()
  local client = M.client()
  if not client then
    return attach_all()
  end
  wanted_end = true
  client:stop(true)
  local waited = 0
  local function again()
    waited = waited + 50
    if waited < 5000 and vim.lsp.get_client_by_id(client.id) then
      return vim.defer_fn(again, 50)
    end
    attach_all()
  end
  vim.defer_fn(again, 50)
end

return M
