-- Ardour, without its window: a session at 97 BPM with one MIDI track, recorded twice, from the beginning and from bar 9.

dofile(os.getenv("SHARED_SCRIPT"))

local function record(session, seconds)
  session:maybe_enable_record()
  session:request_roll(BY_US)
  wait(seconds)
  session:request_stop(false, false, BY_US)
  wait(1.5)
end

start_on_jack()
local session, tracks = session_with_track()
ARDOUR.config():set_send_midi_clock(true)
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
