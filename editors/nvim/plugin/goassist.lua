-- Runs at start-up: the command and the colours. Everything else waits for setup() and for the first Go file.
if vim.g.loaded_goassist then
  return
end
vim.g.loaded_goassist = true

vim.api.nvim_set_hl(
  0,
  'GoassistGhost',
  { link = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'NonText', default = true }
)
vim.api.nvim_set_hl(
  0,
  'GoassistGhostMore',
  { link = vim.fn.hlexists('ComplHintMore') == 1 and 'ComplHintMore' or 'MoreMsg', default = true }
)

vim.api.nvim_create_user_command('GoAssist', function(call)
  require('goassist.commands').run(call.fargs)
end, {
  nargs = '*',
  desc = 'goassist: status, explain, pause, …',
  complete = function(lead, line)
    return require('goassist.commands').complete(lead, line)
  end,
})
