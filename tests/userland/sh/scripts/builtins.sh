#: echo options and escapes
echo -n a; echo b; echo -e x; echo 'a\tb\nc'; echo 'x\cy'; echo; echo 'o\0101'; echo '\\'; echo -- a
#: printf strings
printf '%s %s\n' a b c; printf 'x%5sx%-5sx%.2sx\n' ab cd efg; printf '%s\n'; printf 'no args\n'; printf '%%\n'
#: printf numbers
printf '%d %i %5d|%-5d|%05d|%+d\n' 1 -2 3 4 5 6; printf '%x %X %o %u %#x %#o\n' 255 255 8 7 255 8
#: printf escapes
printf 'a\tb\\n\101\x\n'; printf '%b\n' 'a\tb\0101\\'; printf '%b|' 'a\cb' c; echo
#: printf characters
printf '%c%c\n' abc def; printf '%d %d\n' "'A" '"B'
#: printf floats
printf '%f %.2f %e %g %g\n' 1.5 2.345 12345.678 0.0001 1000000; printf '%8.3f|%-8.1f|\n' 3.14159 2.5
#: printf widths from arguments
printf '%*d|%-*s|%.*f\n' 5 42 6 ab 2 3.14159
#: printf hex and octal input
printf '%d %d %d\n' 0x1f 017 -5
#: printf errors
printf '%d\n' abc; echo $?; printf '%d\n' 12x; echo $?
#: printf reuse
printf '<%s-%s>' a b c d e; echo
#: test strings
[ a = a ]; echo $?; [ a != a ]; echo $?; [ -n "" ]; echo $?; [ -z "" ]; echo $?; [ "" ]; echo $?; [ x ]; echo $?; test; echo $?
#: test numbers
[ 1 -eq 01 ]; echo $?; [ 1 -lt 2 -a 2 -gt 1 ]; echo $?; [ 5 -ge 5 ]; echo $?; [ -1 -lt 0 ]; echo $?; [ 3 -ne 3 ]; echo $?; [ 2 -le 1 ]; echo $?
#: test files
touch f; mkdir d; ln -s f l; ln -s nowhere b; for t in -e -f -d -L -s -r -x -h; do for x in f d l b none; do [ $t $x ] && echo "$t $x"; done; done; [ -x d ] && echo xd
#: test file size
: >e; echo x >n; [ -s e ]; echo $?; [ -s n ]; echo $?
#: test file comparison
touch -d '2020-01-01' old; touch -d '2021-01-01' new; [ new -nt old ]; echo $?; [ new -ot old ]; echo $?; ln old hard; [ old -ef hard ]; echo $?; [ old -ef new ]; echo $?
#: test logic
[ a -a b ]; echo $?; [ a -a "" ]; echo $?; [ "" -o b ]; echo $?; [ ! a ]; echo $?; [ ! "" ]; echo $?; [ \( a \) ]; echo $?; [ ! \( "" -o "" \) ]; echo $?
#: test operators as operands
[ = = = ]; echo $?; [ ! = ! ]; echo $?; [ -n = -n ]; echo $?; [ -f ]; echo $?; [ ! ]; echo $?; [ "(" = "(" ]; echo $?
#: test errors
[ 1 -eq x ] 2>/dev/null; echo $?; [ a 2>/dev/null; echo $?; [ a b ] 2>/dev/null; echo $?
#: test many
[ 1 -eq 1 -a a = a -a ! -e nosuch ]; echo $?; [ x = y -o \( a = a -a b = b \) ]; echo $?
#: cd and pwd
mkdir -p a/b; cd a/b; echo ${PWD##*/}; cd ..; echo ${PWD##*/}; cd - >/dev/null; echo ${PWD##*/}; echo ${OLDPWD##*/}; cd ../..; cd ./a/./b/../b; echo ${PWD##*/}
#: cd errors
cd nosuch 2>/dev/null; echo $?; touch f; cd f 2>/dev/null; echo $?
#: cd through links
mkdir -p r/s; ln -s r/s l; cd l; echo ${PWD##*/}; cd ..; [ -d r ] && echo logical; cd l; cd -P ..; [ -d s ] && echo physical; pwd -P | sed 's,.*/,,'
#: cd home
mkdir h; HOME=$PWD/h; cd; echo ${PWD##*/}; cd ~/..; echo ok
#: CDPATH
mkdir -p x/target; CDPATH=$PWD/x; cd target | sed 's,.*/,,'; cd target >/dev/null; echo ${PWD##*/}
#: getopts
set -- -a -b arg -cd rest; while getopts ab:cd o; do echo "$o ${OPTARG-none} $OPTIND"; done; shift $((OPTIND-1)); echo "$@"
#: getopts silent
set -- -x -b; while getopts :ab: o; do echo "$o ${OPTARG-none}"; done
#: getopts errors
set -- -x -a; while getopts a o 2>/dev/null; do echo "$o"; done; getopts a: z -a 2>/dev/null; echo $? $z
#: getopts arguments and reset
getopts ab o -ab; echo $o $OPTIND; getopts ab o -ab; echo $o $OPTIND; getopts ab o -ab; echo $? $o; OPTIND=1; getopts ab o -b; echo $o
#: getopts double dash
set -- -a -- -b; while getopts ab o; do echo $o; done; echo $OPTIND
#: umask
umask; umask 077; umask; touch f; ls -l f | cut -c1-10; umask -S; umask u=rwx,g=rx,o=; umask; (umask 0); umask
#: umask in subshell and child
umask 027; (umask 077; touch a; sh -c umask); touch b; ls -l a b | cut -c1-10
#: type and command -v
type echo cd . ls nosuch; echo $?; f() { :; }; type f if; command -v f; command -v if; command -v cd; command -v nosuch; echo $?
#: hash
hash -r; hash ls; echo $?; hash nosuch 2>/dev/null; echo $?
#: alias output
alias a='b c' d="it's"; alias a; alias d; alias nosuch 2>/dev/null; echo $?; unalias a; alias a 2>/dev/null; echo $?; unalias -a; alias
#: export -p
export ZED="it's"; export -p | grep ZED; readonly RED='a b'; readonly -p | grep RED; export UNSETEXP; export -p | grep UNSETEXP
#: set lists variables
zz='a b'; set | grep '^zz='
#: set -o output
set -o | head -3; set +o 2>/dev/null | grep -c errexit; set -o noglob; set -o | grep noglob
#: shift too far
set -- a; (shift 2) 2>/dev/null; echo $?; shift; echo $?; shift 5; echo no
#: times
times | wc -l
#: kill -l
kill -l 9; kill -l 130; kill -0 $$; echo $?
#: ulimit
(ulimit -n 100; ulimit -n); ulimit -c 0; ulimit -c
#: true false
true; echo $?; false; echo $?; true x y; echo $?
#: read options
printf 'a b\n' | { read -r x y z; echo "<$x><$y><$z>"; }
#: wait status kept
(exit 5) & p=$!; sleep 0.05; wait $p; echo $?
#: jobs
jobs; echo $?; fg 2>/dev/null; echo $?; wait %1 2>/dev/null; echo $?
#: exec failure
(exec nosuchcmd) 2>/dev/null; echo $?; (exec ./nosuch) 2>/dev/null; echo $?
#: command with special builtin
command : ; command eval 'echo x'; command . ./nosuch 2>/dev/null; echo $? still
#: command -p
PATH=/nowhere; command -p echo hi; command -p ls / >/dev/null; echo $?
#: dot missing
. ./nosuch 2>/dev/null; echo no
#: unset errors
readonly q=1; unset q 2>/dev/null; echo no
#: bad options
export -z 2>/dev/null; echo no
#: special builtin assignments persist
x=1; x=2 :; echo $x; y=3 export z=4; echo $y$z; a=5 true; echo ${a-none}
#: set positional from options
set -e -- a b; echo $# $-; set +e; set - x; echo $1
