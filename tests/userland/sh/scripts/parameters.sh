#: default values
unset x; echo "${x-d}" "${x:-d}"; x=; echo "[${x-d}]" "[${x:-d}]"; x=v; echo "${x-d}" "${x:-d}"
#: alternate values
unset x; echo "[${x+a}]" "[${x:+a}]"; x=; echo "[${x+a}]" "[${x:+a}]"; x=v; echo "${x+a}" "${x:+a}"
#: assign default
unset x; echo ${x=one} $x; echo ${x=two} $x; x=; echo ${x:=three} $x
#: error if unset
(echo ${x?}) 2>/dev/null; echo $?; (echo "${x:?gone}") 2>&1; echo after
#: error ends the shell
echo ${nope?no such thing}; echo not reached
#: length
x=hello; echo ${#x} ${#} ${#undefined}; set -- a b c; echo ${#} $# ${#1}
#: trim prefix
x=/usr/local/lib/a.b.c; echo ${x#*/} ${x##*/} ${x#/usr} ${x#nomatch}
#: trim suffix
x=/usr/local/lib/a.b.c; echo ${x%.*} ${x%%.*} ${x%/*} ${x%%/*}x
#: trim with quoted pattern
x='a*b*c'; echo "${x#*'*'}" "${x##*"*"}" "${x%\**}"
#: trim with variable pattern
x=foobar; p='f*b'; echo ${x#$p} "${x#"$p"}" ${x##$p}
#: trim with brackets
x=abc123; echo ${x##[a-z]} ${x##[a-z]*[a-z]} ${x%%[0-9]*} ${x#[!a]}
#: nested expansions
unset a; b=bee; echo ${a:-${b}} ${a:-${c:-deep}} ${a:-$(echo sub)} ${a:-`echo back`}
#: quotes in the default word
printf '<%s>' ${x:-"a b" c}; echo; printf '<%s>' "${x:-"a b" c}"; echo; printf '<%s>' ${x:-'a b'}; echo
#: single quotes in a quoted default
echo "${x:-'a'}" "${x:-it's}"
#: braces in the default word
echo "${x:-a\}b}" ${x:-"}"} ${x:-\}}
#: positional parameters
set -- a b c d e f g h i j k; echo $1 $10 ${10} ${11} $#
#: at and star
set -- "a b" c ""; for i in "$@"; do echo "<$i>"; done; for i in "$*"; do echo "[$i]"; done; for i in $@; do echo "($i)"; done
#: star with IFS
set -- a b c; IFS=-; echo "$*"; IFS=; echo "$*"; unset IFS; echo "$*"
#: at inside a word
set -- 1 2 3; printf '<%s>' "a$@b"; echo; set --; printf '<%s>' "a$@b" "$@" x"$@"; echo
#: star unquoted in assignment
set -- a b c; IFS=:; x=$*; y=$@; echo "$x" "$y"
#: at joined in assignment
set -- a 'b  c'; x="$@"; echo "$x"
#: special parameters
false; echo $?; true; echo $?; (exit 7); echo $?; echo $0 $#
#: option letters
set -f; case $- in *f*) echo has f;; esac; set +f; case $- in *f*) echo still;; *) echo gone;; esac
#: unset and null positional
set -- ""; echo "${1-unset}" "${2-unset}" "${1:-null}"
#: shift
set -- a b c d; shift; echo $1 $#; shift 2; echo $1 $#; shift; echo $#
#: set with dashes
set -- -a -b; echo $1 $2; set x y; echo $1 $2 $#; set --; echo $#
#: plus with at
set --; echo ${@+set}; set -- ""; echo "${@+set}"; echo ${1+"$@"}x
#: bad substitution
echo ${x!y}; echo no
#: set -u
set -u; echo ${x-fine} ${x:+}; echo $x; echo no
#: set -u and at
set -u; set --; echo "$@" $* $#; echo ok
#: assignment from itself
x=a; x=$x$x; x=${x}b; echo $x
#: multiple assignments left to right
a=1 b=$a c=$b; echo $a $b $c
#: unset variable in the middle
echo "a${nothing}b" a$nothing'b'
#: trim the positional list
set -- a.c b.c; x=$1; echo ${x%.c} ${1%.c} ${2#b}
#: name boundaries
x=1; xy=2; echo $x_ ${x}_ $xy "$x.y" $x-y
#: length of a number parameter
set -- abcdef; echo ${#1}
#: default with at
set -- 1 2; printf '<%s>' "${x:-$@}"; echo; printf '<%s>' ${x:-"$@"}; echo
#: trim stars
x=aXbXc; echo ${x%X*} ${x%%X*} ${x#*X} ${x##*X}
#: trim whole value
x=abc; echo "[${x#abc}]" "[${x%abc}]" "[${x##*}]" "[${x%%*}]" "[${x#}]"
#: assignment in alternate word is not run
unset y; x=; echo "[${x:+${y=set}}]" "${y-unset}"
