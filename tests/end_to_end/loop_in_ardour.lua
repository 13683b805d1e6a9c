-- Ardour, without its window: loops over a part of a session at 97 BPM. Its Lua cannot set a loop, but a session on disk
-- can have one: with STEP=make it saves one with a range, and once the file says that this is the loop, plays it.

dofile(os.getenv("SHARED_SCRIPT"))

local function at(beats) return Temporal.timepos_t(math.floor(beats * 60 / BPM * RATE + 0.5)) end

if os.getenv("STEP") == "make" then
  AudioEngine:set_backend("None (Dummy)", "", "")
  local session = session_with_track()
  session:locations():add_range(at(tonumber(os.getenv("LOOP_BEGINS"))), at(tonumber(os.getenv("LOOP_ENDS"))))
  session:save_state("")
  wait(0.5)
  close_session()
else
  start_on_jack()
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
