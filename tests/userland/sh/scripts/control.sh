#: if
if true; then echo a; fi; if false; then echo b; else echo c; fi; if false; then :; elif true; then echo d; else echo e; fi
#: if status
if false; then :; fi; echo $?; if true; then false; fi; echo $?
#: while and until
i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; until [ $i -eq 0 ]; do i=$((i-1)); echo $i; done
#: while status
while false; do :; done; echo $?; i=0; while [ $i -lt 1 ]; do i=1; (exit 3); done; echo $?
#: for
for i in a b "c d"; do echo $i; done; for i in; do echo no; done; echo $?
#: for over positional
set -- x y; for i; do echo $i; done; for i do echo $i; done
#: for keeps the variable
for i in 1 2 3; do :; done; echo $i
#: break and continue
for i in 1 2 3 4 5; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done
#: break n
for i in 1 2; do for j in a b c; do [ $j = b ] && break 2; echo $i$j; done; done; echo end
#: continue n
for i in 1 2; do for j in a b c; do [ $j = b ] && continue 2; echo $i$j; done; done
#: break in while condition
while break; do echo no; done; echo $?
#: break more than there are
for i in 1 2; do break 5; done; echo ok
#: break outside
break; echo ok; continue; echo ok2
#: and or lists
true && echo a; false && echo b; false || echo c; true || echo d; false && echo x || echo y; true || echo p && echo q
#: not
! true; echo $?; ! false; echo $?; if ! false; then echo yes; fi; ! false | false; echo $?
#: groups
{ echo a; echo b; }; { echo c; } ; echo $?
#: subshell
x=1; (x=2; echo $x); echo $x; (exit 4); echo $?; (cd /; pwd); (:)
#: subshell nesting
( ( echo deep ); echo outer ); ((echo two) ; echo one)
#: functions
f() { echo "f $1 $#"; return 3; }; f a b; echo $?; f; echo $?
#: function with any body
f() (x=2; echo sub); g() if true; then echo iff; fi; h() for i in 1 2; do echo $i; done; x=1; f; g; h; echo $x
#: function arguments restored
set -- a b; f() { echo $1; set -- q; echo $1; }; f x; echo $1 $2
#: function recursion
f() { [ $1 -eq 0 ] && return; echo $1; f $(($1-1)); }; f 3
#: local
x=1; f() { local x=2 y; y=3; echo $x $y; g; }; g() { echo "g $x $y"; x=5; }; f; echo $x ${y-unset}
#: local keeps outer value
x=1; f() { local x; echo "${x-unset}"; }; f
#: return from nested loop
f() { for i in 1 2; do while :; do return 7; done; done; }; f; echo $?
#: return status default
f() { false; return; }; f; echo $?
#: redefine and unset functions
f() { echo 1; }; f() { echo 2; }; f; unset -f f; f 2>/dev/null; echo $?
#: function redirection
f() { echo out; echo err >&2; } >f.out 2>&1; f; cat f.out
#: prefix assignment to function
x=1; f() { echo $x; }; x=2 f; echo $x
#: prefix assignment to builtin and command
x=1; x=2 eval 'echo $x'; echo $x; x=3 true; echo $x; y=4 sh -c 'echo $y'; echo ${y-unset}
#: assignment status
x=$(false); echo $?; x=$(true); echo $?; x=1; echo $?; x=$(exit 5) y=1; echo $?
#: eval
x='echo $y'; y=hi; eval $x; eval 'a=1;' 'b=2'; echo $a$b; eval; echo $?; eval false; echo $?
#: eval with control flow
for i in 1 2 3; do eval 'if [ $i = 2 ]; then continue; fi'; echo $i; done; f() { eval 'return 4'; echo no; }; f; echo $?
#: dot
echo 'echo "dot $x"; y=2; return 5; echo no' >s; x=1; . ./s; echo $? $y
#: dot by PATH
mkdir p; echo 'echo found' >p/lib; PATH=$PWD/p:$PATH; . lib
#: exit
(exit 3); echo $?; (false; exit); echo $?; echo before; exit 9; echo no
#: exit in function
f() { exit 6; }; (f; echo no); echo $?; f
#: exec replaces
exec echo replaced; echo no
#: exec in subshell
(exec echo sub; echo no); echo yes
#: colon
: a b c; echo $?; : ${x:=5}; echo $x
#: command
echo() { printf 'mine\n'; }; echo a; command echo b; unset -f echo; command -v echo; command true; echo $?
#: command not found
nosuchcommand 2>/dev/null; echo $?; command -v nosuchcommand; echo $?
#: not executable
echo x >notexec; ./notexec 2>/dev/null; echo $?; ./missing 2>/dev/null; echo $?; ./ 2>/dev/null; echo $?; /dev/null 2>/dev/null; echo $?
#: script without interpreter line
printf 'echo script $1 $0\nexit 3\n' >s; chmod +x s; ./s arg; echo $?
#: script with interpreter line
printf '#!/bin/sh\necho "$# $1"\n' >s; chmod +x s; ./s 'a b' c; echo $?
#: keywords as arguments
echo if then else fi do done case esac while until for in { } !
#: semicolon and newline forms
if true
then
  echo a
fi; for i in 1
do echo $i
done
while false; do
:
done; echo ok
#: long pipeline of lists
true && { false || { true && echo deep; }; } && echo end
#: aliases
alias hi='echo hello'; alias two='hi; hi'
hi world
two
unalias hi
hi 2>/dev/null; echo $?
#: alias with trailing blank
alias p='echo ' q='quoted word'
p q q
#: alias is not recursive
alias echo='echo aliased'
echo x
#: functions see globals
f() { count=$((count+1)); }; count=0; f; f; f; echo $count
#: unset
x=1; unset x; echo ${x-unset}; unset nothing; echo $?
#: readonly
readonly r=1; (r=2) 2>/dev/null; echo $?; echo $r; (unset r) 2>/dev/null; echo $?; r=3; echo no
#: export
export E=1; sh -c 'echo $E'; F=2; sh -c 'echo ${F-none}'; export F; sh -c 'echo $F'; E=9; sh -c 'echo $E'
#: export with splitting text
x='a b'; export Y=$x; echo "$Y"; readonly Z=$x; echo "$Z"
#: temporary environment
A=1 B=2 sh -c 'echo $A$B'; echo ${A-none}
#: deep nesting
if if true; then true; fi; then for i in 1; do case $i in 1) while :; do until false; do break 2; done; done; echo deep;; esac; done; fi
#: empty lines and spaces

   echo a   

	echo b	
#: background status is zero
false & echo $?; wait $!; echo $?
