#: simple pipes
echo a b c | tr ' ' '\n' | sort -r | head -2
#: pipe status
false | true; echo $?; true | false; echo $?; exit 3 | exit 4; echo $?
#: variables in pipes are lost
x=1; echo 5 | read x; echo $x; echo 6 | { read x; echo $x; }; echo $x
#: compound in pipes
for i in 3 1 2; do echo $i; done | sort | while read x; do echo "<$x>"; done
#: functions in pipes
up() { tr a-z A-Z; }; echo abc | up | { read x; echo "[$x]"; }
#: builtins in pipes
printf 'a\nb\n' | cat -n | sed 's/^ *//'; pwd | wc -l; echo x | cat
#: broken pipe
yes | head -2; while :; do echo y; done | head -1; echo end
#: newline after pipe
echo a |
  cat |

  tr a b
#: substitution basics
x=$(echo a; echo b); echo "$x"; echo $x; echo "$(printf 'x\n\n\n')y"
#: substitution nesting
echo $(echo $(echo $(echo deep))); echo `echo \`echo two\``
#: substitution status
x=$(exit 3); echo $?; echo $(exit 4) $?; $(true); echo $?; $(false); echo $?
#: substitution as command
$(echo echo hi) there; c='echo x'; $c y
#: substitution environment
x=1; y=$(x=2; echo $x); echo $x $y; z=$(cd /; pwd); echo $z
#: substitution with case
x=$(case a in a) echo yes;; esac); echo $x
#: substitution with comment and quotes
x=$(echo "a )" # comment )
echo b); echo "$x"
#: substitution with subshell
x=$( (echo a) ; (echo b) ); echo $x
#: trailing newlines removed
x=$(printf 'a\n\n\n'); echo "[$x]"; x=$(printf '\n\na'); echo "[$x]"
#: large output
x=$(seq 1 20000); echo ${#x}; seq 1 20000 | wc -l
#: builtin output into substitution with external
x=$(echo a; /bin/echo b; echo c; /bin/echo d); echo "$x"
#: background and wait
sleep 0.05 & p=$!; wait $p; echo $?; (exit 3) & wait $!; echo $?
#: wait for all
for i in 1 2 3; do sleep 0.0$i & done; wait; echo $? done
#: wait for unknown
wait 99999; echo $?
#: background order
mkfifo p; { read x <p; echo second $x; } & echo first; echo go >p; wait
#: background function
f() { echo "in $1"; return 4; }; f bg & wait $!; echo $?
#: background variables
x=1; { x=2; echo $x; } & wait; echo $x
#: background pipeline
echo abc | tr a-c x-z & wait; echo $?
#: background with functions and positional
set -- p q; g() { echo "g $*"; }; { g "$@"; echo $2; } & wait
#: background reads nothing
cat & wait; echo $?
#: kill background
sleep 10 & kill $!; wait $!; echo $?; sleep 10 & kill -9 $!; wait $! 2>/dev/null; echo $?
#: exit status of signals
sh -c 'kill -TERM $$' 2>/dev/null; echo $?; sh -c 'kill -9 $$' 2>/dev/null; echo $?
#: pipe into background
echo data | { cat; echo end; } & wait
#: substitution waits
x=$(sleep 0.05 & echo now; wait; echo later); echo $x
#: subshell process ids
[ $$ = $(echo $$) ] && echo same; (echo $$) | { read a; [ $a = $$ ] && echo same; }
#: last background pid
[ -z "$!" ] && echo none; true & [ -n "$!" ] && echo some; wait
#: pipe with redirect of stderr
{ echo out; echo err >&2; } 2>&1 | sort; ls nosuch 2>&1 | wc -l
#: long pipeline
echo start | cat | cat | cat | cat | cat | cat | cat | cat
#: pipeline negation
! echo a | grep -q b; echo $?; ! echo a | grep -q a; echo $?
#: xargs and friends
printf '%s\n' a b c | xargs -n1 echo item | sort -r
#: loop into pipe and back
i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done | { s=0; while read n; do s=$((s+n)); done; echo $s; }
#: nested command groups with pipes
{ echo a; { echo b | cat; } ; echo c; } | cat -
