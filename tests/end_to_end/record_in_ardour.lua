-- Ardour, without its window: a session at 97 BPM with one MIDI track, recorded twice, from the beginning and from bar 9.
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
local function record(session, seconds)
  session:maybe_enable_record()
  session:request_roll(BY_US)
  wait(seconds)
  session:request_stop(false, false, BY_US)
  wait(1.5)
end

AudioEngine:set_backend("JACK", "ardour", "")
local session = create_session(folder .. "/take", "take", RATE)
assert(session, "no session")
local map = Temporal.TempoMap.write_copy()
map:set_tempo(Temporal.Tempo(BPM, BPM, 4), Temporal.timepos_t(0))
Temporal.TempoMap.update(map)
map = nil
ARDOUR.config():set_send_midi_clock(true)
local one = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local tracks = session:new_midi_track(
  one, one, true, ARDOUR.PluginInfo(), nil, nil, 1, "jam", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
for track in tracks:iter() do
  track:rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
end
say("ready")
while not is_said("go") do wait(0.1) end
record(session, tonumber(os.getenv("TAKE_SECONDS")))
local bar_9 = math.floor(32 * 60 / BPM * RATE + 0.5)
session:request_locate(bar_9, false, ARDOUR.LocateTransportDisposition.MustStop, BY_US)
wait(1)
record(session, 10)
session:save_state("")
wait(1)
close_session()
say("done")
quit()
