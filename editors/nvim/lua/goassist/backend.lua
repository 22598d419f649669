--- Who draws: suggest.lua, or native.lua where the option `ghost` says so.
local M = {}

local function chosen()
  local own = require('goassist.config').options.ghost == 'own'
  return own and require('goassist.suggest') or require('goassist.native')
end

return setmetatable(M, {
  __index = function(_, name)
    return chosen()[name]
  end,
})
