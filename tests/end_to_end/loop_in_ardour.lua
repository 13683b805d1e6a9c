-- Ardour, without its window: loops over a part of a session at 97 BPM. Its Lua cannot set a loop, but a session on disk
-- can have one: with STEP=make it saves one with a range, and once the file says that this is the loop, plays it.
-- It says how far it is, and is told to go on, by files in TAKE_FOLDER.

local folder = os.getenv("TAKE_FOLDER")
local RATE, BPM = 48000, 97
local BY_US = ARDOUR.TransportRequestSource.TRS_UI

local function say(name) io.open(folder .. "/" .. name, "w"):close() end
local function is_said(name)
  local file = io.open(folder .. "/" .. name)
  if file then file:close() end
  return file ~= nil
end
local function wait(seconds) ARDOUR.LuaAPI.usleep(math.floor(seconds * 1e6)) end
local function at(beats) return Temporal.timepos_t(math.floor(beats * 60 / BPM * RATE + 0.5)) end

if os.getenv("STEP") == "make" then
  AudioEngine:set_backend("None (Dummy)", "", "")
  local session = create_session(folder .. "/take", "take", RATE)
  assert(session, "no session")
  local map = Temporal.TempoMap.write_copy()
  map:set_tempo(Temporal.Tempo(BPM, BPM, 4), Temporal.timepos_t(0))
  Temporal.TempoMap.update(map)
  map = nil
  local one = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
  session:new_midi_track(
    one, one, true, ARDOUR.PluginInfo(), nil, nil, 1, "jam", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
  session:locations():add_range(at(tonumber(os.getenv("LOOP_BEGINS"))), at(tonumber(os.getenv("LOOP_ENDS"))))
  session:save_state("")
  wait(0.5)
  close_session()
else
  AudioEngine:set_backend("JACK", "ardour", "")
  ARDOUR.config():set_send_midi_clock(true)
  local session = load_session(folder .. "/take", "take")
  assert(session and session:locations():auto_loop_location(), "no loop")
  say("ready")
  while not is_said("go") do wait(0.1) end
  session:request_play_loop(true, false)
  wait(0.5)
  session:request_roll(BY_US)
  wait(tonumber(os.getenv("TAKE_SECONDS")))
  session:request_stop(false, false, BY_US)
  wait(1.5)
  say("done")
end
quit()
