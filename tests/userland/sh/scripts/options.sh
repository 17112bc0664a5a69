#: errexit
set -e; echo a; false; echo no
#: errexit in conditions
set -e; if false; then :; fi; while false; do :; done; false || echo or; false && echo no; ! true; echo end; (false); echo no
#: errexit in functions
set -e; f() { false; echo in; }; f || echo caught; if f; then echo then; fi; f; echo no
#: errexit in subshells
set -e; (echo a; false; echo no) || echo failed; (false; echo tested) && echo yes; x=$(false; echo sub) || true; echo "[$x]"; y=$(false); echo no
#: errexit and pipelines
set -e; false | true; echo a; true | false; echo no
#: errexit and lists
set -e; true && true; echo 1; true && false || true; echo 2; { false; } || true; echo 3; true && false; echo no
#: errexit and negation
set -e; ! false; echo 1; ! true; echo 2; if ! false; then echo 3; fi
#: errexit and eval
set -e; eval false || true; echo 1; eval 'false'; echo no
#: errexit exit status
set -e; (exit 7); echo no
#: errexit in case and loops
set -e; case a in a) true;; esac; for i in 1 2; do [ $i = 2 ] || echo $i; done; for i in 1; do false; done; echo no
#: errexit off again
set -e; set +e; false; echo on
#: errexit with EXIT trap
trap 'echo trap $?' EXIT; set -e; false; echo no
#: nounset
set -u; x=1; echo $x ${y-d} ${y+a}; (echo $y) 2>/dev/null; echo $?; echo ${#y}; echo no
#: noglob and set -o
set -o noglob; echo *; set +o noglob; touch z; echo *
#: allexport
set -a; V=exported; set +a; W=not; sh -c 'echo $V ${W-none}'
#: noexec
sh -n -c 'echo no'; echo $?; sh -n -c 'if'; echo $?
#: verbose and xtrace leave output alone
set -x; echo a; x=1; set +x; echo b
#: invocation options
sh -c 'echo $0 $1 $#' name arg1 arg2; sh -e -c 'false; echo no'; echo $?; sh -ec 'echo $-' | grep -c e; sh -uc 'echo $undefined; echo no' 2>/dev/null; echo $?
#: invocation with -s
echo 'echo $1 $#' | sh -s a b; echo 'echo stdin; exit 3' | sh; echo $?
#: stdin script shares its input
printf 'head -1 >/dev/null\nskipped\necho ran\n' >s; sh <s | tail -1
#: script file
printf 'echo "$0 $*"\nexit 4\n' >s.sh; sh s.sh a b; echo $?; sh nosuch.sh 2>/dev/null; echo $?
#: syntax errors
for s in 'if' 'fi' 'echo )' 'for 1 in a; do :; done' 'case x' '{ echo' '(echo' 'echo "x' 'a() {' '&& x' 'x ||' 'if true; then' '; ;' 'while do done' 'echo $((1+' '| a'; do sh -c "$s" 2>/dev/null; echo "$? $s"; done
#: syntax error after commands
sh -c 'echo first
echo "second"
)
echo third' 2>/dev/null; echo $?
#: syntax error in eval
(eval 'if' ; echo no) 2>/dev/null; echo $?; eval ')' 2>/dev/null; echo no
#: pipefail is off
false | true; echo $?
#: PS4 and tracing status
set -x; (exit 3); echo $?
