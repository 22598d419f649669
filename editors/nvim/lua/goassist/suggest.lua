--- Our own ghost text: asks the server as the user types, and keeps what it said true to the buffer without asking.
---
--- While the typed text is what the ghost text begins with, the ghost gets shorter in place: nothing flickers. Whether
--- it still fits is found out anew (item.lua) at each key and before each edit, never remembered.
local accept = require('goassist.accept')
local ghost = require('goassist.ghost')
local items = require('goassist.item')
local server = require('goassist.server')

local M = {}

local api = vim.api

-- Events of one key come together, and so do the keys of a paste: one request for all of them.
local SETTLE_MS = 8
local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2

---@class goassist.State
---@field list goassist.Item[] candidates of the last answer
---@field index integer
---@field chosen boolean? the user has cycled: answers that come by themselves do not replace the choice
---@field complete boolean? all candidates were asked for
---@field request integer counts requests; answers to any but the last are dropped
---@field place string? where was asked last
---@field answered string? where the last answer was for
---@field rejected {row: integer, text: string}?

---@type table<integer, goassist.State>
local states = {}

local function state_of(buf)
  states[buf] = states[buf] or { list = {}, index = 1, request = 0 }
  return states[buf]
end

local function current(state)
  return state.list[state.index]
end

local function drop(buf)
  local state = state_of(buf)
  state.list, state.index, state.chosen, state.complete = {}, 1, nil, nil
  ghost.hide(buf)
end

-- Draw what is left of the current item at the cursor; nothing where it does not fit any more.
local function draw(buf)
  local state = state_of(buf)
  local item = current(state)
  local typed = item and accept.typed_at_cursor(item)
  if not item or not typed then
    drop(buf)
    return
  end
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local note = state.chosen and #state.list > 1 and ('%d/%d'):format(state.index, #state.list) or nil
  ghost.show(buf, row - 1, col, item.text:sub(typed + 1), item.replaced, note)
end

local function rejected(state, item)
  local no = state.rejected
  if not no or no.row ~= item.row then
    return false
  end
  local text = item.head .. item.text
  return vim.startswith(text, no.text) or vim.startswith(no.text, text)
end

-- Insert mode of the buffer that is shown, with nothing played back and nothing selected; virtual replace is none.
local function may_ask(buf)
  return api.nvim_get_current_buf() == buf
    and api.nvim_get_mode().mode:sub(1, 1) == 'i'
    and vim.bo[buf].modifiable
    and not vim.bo[buf].readonly
    and vim.fn.reg_executing() == ''
    and not vim.b[buf].goassist_paused
end

local function place_of(buf)
  local row, col = unpack(api.nvim_win_get_cursor(0))
  return ('%d %d %d'):format(api.nvim_buf_get_changedtick(buf), row, col)
end

-- The answer's items that fit the buffer and were not rejected here.
local function fitting(buf, client, result)
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local found = {}
  for _, raw in ipairs(result and (result.items or result) or {}) do
    local item = items.of(buf, client, raw, row - 1, col)
    if item and not rejected(state_of(buf), item) then
      found[#found + 1] = item
    end
  end
  return found
end

-- What was shown stays first, so that "next" goes on from it.
local function merged(shown, found)
  if not shown or not accept.typed_at_cursor(shown) then
    return found
  end
  local list = { shown }
  for _, item in ipairs(found) do
    if item.head .. item.text ~= shown.head .. shown.text then
      list[#list + 1] = item
    end
  end
  return list
end

---@param kind integer INVOKED or AUTOMATIC
---@param after fun()? called once a fitting answer is shown
local function ask(buf, kind, after)
  local client = server.client()
  if not client or not may_ask(buf) or not vim.lsp.buf_is_attached(buf, client.id) then
    return
  end
  local state = state_of(buf)
  state.request = state.request + 1
  local number, place = state.request, place_of(buf)
  state.place = place
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  client:request(METHOD, params, function(err, result)
    if number ~= state.request then
      return
    end
    state.answered = place
    if err or not may_ask(buf) or place ~= place_of(buf) then
      return
    end
    local found = fitting(buf, client, result)
    if kind == INVOKED then
      state.list, state.index, state.complete = merged(current(state), found), 1, true
    elseif #found > 0 and not (state.chosen and current(state)) then
      state.list, state.index, state.complete = found, 1, nil
    end
    -- An answer without items says nothing against text that still fits: it was checked together with what is typed.
    draw(buf)
    if after then
      after()
    end
  end, buf)
end

local function ask_soon(buf)
  local state = state_of(buf)
  if state.waiting then
    return
  end
  state.waiting = true
  vim.defer_fn(function()
    state.waiting = nil
    if api.nvim_get_current_buf() == buf and state.place ~= place_of(buf) then
      ask(buf, AUTOMATIC)
    end
  end, SETTLE_MS)
end

local function moved(buf)
  draw(buf)
  ask_soon(buf)
end

--- Follow what happens in a buffer.
---@param buf integer
function M.attach(buf)
  local group = api.nvim_create_augroup('goassist.suggest.' .. buf, {})
  local function on(events, desc, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = buf, desc = desc, callback = callback })
  end
  on({ 'InsertEnter', 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, 'goassist: ghost text follows', function()
    moved(buf)
  end)
  on({ 'InsertLeave', 'BufLeave', 'BufUnload' }, 'goassist: no ghost text outside insert mode', function()
    M.clear(buf)
  end)
end

--- Forget the suggestion and whatever is on its way.
---@param buf integer
function M.clear(buf)
  local state = state_of(buf)
  state.request = state.request + 1
  state.place, state.answered = nil, nil
  drop(buf)
end

--- Ask again where the cursor is: the server has become ready.
function M.ask_again()
  local buf = api.nvim_get_current_buf()
  if states[buf] then
    states[buf].place = nil
    ask_soon(buf)
  end
end

---@return boolean
function M.visible()
  return M.current() ~= nil
end

--- The suggestion at the cursor: all of its text, and how many bytes of it stand there.
---@return {text: string, typed: integer}?
function M.current()
  local item = current(state_of(api.nvim_get_current_buf()))
  local typed = item and accept.typed_at_cursor(item)
  return item and typed and { text = item.text, typed = typed } or nil
end

--- Whether the answer for the cursor's place is still to come.
---@return boolean
function M.waiting()
  local buf = api.nvim_get_current_buf()
  local client = server.client()
  return client ~= nil
    and vim.lsp.buf_is_attached(buf, client.id)
    and may_ask(buf)
    and state_of(buf).answered ~= place_of(buf)
end

---@param part 'all'|'word'|'line'
---@return boolean
function M.accept(part)
  local buf = api.nvim_get_current_buf()
  local state = state_of(buf)
  local item = current(state)
  local typed = item and accept.typed_at_cursor(item)
  if not item or not typed then
    return false
  end
  local stop = items.part_end(item, typed, part)
  accept.take(item, typed, stop)
  state.rejected = nil
  -- What is on its way was asked before this edit.
  state.request = state.request + 1
  draw(buf)
  ask_soon(buf)
  return true
end

---@param step integer
---@return boolean
function M.cycle(step)
  if not M.visible() then
    return false
  end
  local buf = api.nvim_get_current_buf()
  local state = state_of(buf)
  local function turn()
    if #state.list > 0 then
      state.index = (state.index - 1 + step) % #state.list + 1
      state.chosen = true
      draw(buf)
    end
  end
  if state.complete then
    turn()
  else
    ask(buf, INVOKED, turn)
  end
  return true
end

---@return boolean
function M.dismiss()
  if not M.visible() then
    return false
  end
  local buf = api.nvim_get_current_buf()
  local state = state_of(buf)
  local item = current(state)
  state.rejected = { row = item.row, text = item.head .. item.text }
  state.request = state.request + 1
  drop(buf)
  return true
end

---@return boolean
function M.request()
  local buf = api.nvim_get_current_buf()
  state_of(buf).rejected = nil
  ask(buf, INVOKED)
  return true
end

return M
