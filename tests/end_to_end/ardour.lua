-- What the scripts for Ardour share: it says how far it is, and is told to go on, by files in TAKE_FOLDER.

folder = os.getenv("TAKE_FOLDER")
RATE, BPM = 48000, 97
BY_US = ARDOUR.TransportRequestSource.TRS_UI

function say(name) io.open(folder .. "/" .. name, "w"):close() end

function is_said(name)
  local file = io.open(folder .. "/" .. name)
  if file then file:close() end
  return file ~= nil
end

function wait(seconds) ARDOUR.LuaAPI.usleep(math.floor(seconds * 1e6)) end

-- Started before there is a session: else every other session that is loaded has no port in JACK; so, one of thirty.
function start_on_jack()
  AudioEngine:set_backend("JACK", "ardour", "")
  assert(AudioEngine:start() == 0, "JACK does not answer")
  wait(1)
end

-- A session at BPM with one MIDI track, "jam"; and the track.
function session_with_track()
  local session = create_session(folder .. "/take", "take", RATE)
  assert(session, "no session")
  local map = Temporal.TempoMap.write_copy()
  map:set_tempo(Temporal.Tempo(BPM, BPM, 4), Temporal.timepos_t(0))
  Temporal.TempoMap.update(map)
  map = nil
  local one = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
  local tracks = session:new_midi_track(
    one, one, true, ARDOUR.PluginInfo(), nil, nil, 1, "jam", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
  return session, tracks
end
