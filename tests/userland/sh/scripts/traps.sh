#: exit trap
trap 'echo bye' EXIT; echo hi
#: exit trap status
trap 'echo $?; exit 5' EXIT; exit 3
#: exit trap keeps status
trap 'true' EXIT; exit 4
#: exit trap by number
trap 'echo zero' 0; echo x
#: exit trap in subshell
trap 'echo outer' EXIT; (echo in); (trap 'echo inner' EXIT; echo in2); echo out
#: exit trap replaced and reset
trap 'echo a' EXIT; trap 'echo b' EXIT; trap - EXIT; echo c; trap 'echo d' EXIT
#: exit trap in substitution
x=$(trap 'echo t' EXIT; echo a); echo "[$x]"
#: signal trap (isolated)
trap 'echo got' USR1; kill -USR1 $$; echo after
#: signal trap by number (isolated)
trap 'echo term' 15; kill $$; echo alive
#: ignored signal (isolated)
trap '' TERM; kill -TERM $$; echo alive; sh -c 'kill -TERM $$; echo child alive'
#: reset trap (isolated)
trap 'echo x' USR1; trap - USR1; trap; echo none
#: trap listing
trap 'echo "it'\''s"' INT; trap '' QUIT; trap; trap - INT QUIT; trap
#: trap status is kept (isolated)
trap 'false' USR1; true; kill -USR1 $$; echo $?
#: trap in function (isolated)
f() { trap 'echo in f' USR1; kill -USR1 $$; }; f; echo end
#: trap runs after the command (isolated)
trap 'echo trapped' USR1; sh -c 'kill -USR1 $PPID; echo sent'; echo after
#: trap interrupts wait (isolated)
trap 'n=1' USR1; sleep 100 & s=$!; (while kill -USR1 $$; do sleep 0.05; done) 2>/dev/null & k=$!; wait $s; echo $?; kill $k $s; echo $n
#: default action (isolated)
sh -c 'kill -TERM $$; echo no' 2>/dev/null; echo $?
#: int trap and exit (isolated)
trap 'echo int; exit 7' INT; kill -INT $$; echo no
#: exit trap after a signal trap exits (isolated)
trap 'echo exit' EXIT; trap 'exit 2' TERM; kill $$; echo no
#: subshells reset traps (isolated)
trap 'echo parent' USR1; (trap); echo done
#: bad signal
trap 'x' NOSUCH 2>/dev/null; echo $?
#: trap with eval and quotes
x=val; trap 'echo "$x"' EXIT; x=late
#: trap argument forms
trap -- 'echo a' EXIT; trap; trap 0; trap
#: nested exit in trap
trap 'trap - EXIT; echo one; exit 3' EXIT; exit 1
#: trap in loop (isolated)
n=0; trap 'n=$((n+1))' USR1; for i in 1 2 3; do kill -USR1 $$; done; echo $n
#: exec skips the exit trap
trap 'echo no' EXIT; exec true
