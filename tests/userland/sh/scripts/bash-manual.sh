# What sections of bash's manual have, each in a few lines as scripts use it.
#: array sparse
a=([2]=x [5]=y); a+=(z); echo "${!a[@]}" "${a[@]}"; unset 'a[5]'; echo "${#a[@]}"; echo "${a[-1]}"; a[-1]=q; declare -p a
#: assoc
declare -A m=([one]=1 ["two words"]=2); m[three]=3; for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done | sort; [[ -v m[one] ]] && echo has; unset 'm[one]'; echo ${#m[@]}; declare -p m | tr ' ' '\n' | sort
#: assoc append
declare -A m; m[a]+=x; m[a]+=y; echo "${m[a]}"; m+=([b]=1 [a]=2); echo "${m[a]} ${m[b]}"; echo "${m[@]@K}" | wc -w
#: integer attr
declare -i n=5+3; n+=2; echo $n; n="2*n"; echo $n; declare -u U=abc; declare -l L=ABC; echo $U $L; declare -p n U L
#: printf v array
printf -v 'a[3]' '%05.2f' 3.14159; declare -p a; printf -v x '%q' "a b'c"; echo "$x"; printf '%s-%s\n' 1 2 3
#: printf q b
printf '%q\n' "" $'a\nb' "é" '$x' 'a~b' '~x' '{a,b}'; printf '%b\n' 'a\tb\0101\c' x; echo; printf '%(%F %T)T\n' 86400; printf '%5.2s|\n' abcdef
#: case patterns
for x in abc a.c [x] 'a*' Ünï 12; do case $x in [[:digit:]]*) echo digit;; [[]x]) echo br;; a\*) echo star;; a.c) echo dot;; a?c) echo q;; *[[:upper:]]*) echo up;; esac; done
#: extglob subst
shopt -s extglob; v="  trim me  "; echo "[${v##+([[:space:]])}]" "[${v%%+([[:space:]])}]"; v=foo.tar.gz; echo ${v%%.*} ${v#*.} ${v/%.@(gz|xz)/}; echo ${v//[aeiou]/<&>}
#: patsub replacement
v=hello; echo "${v/l/[&]}" "${v//l/\&}"; r='&x'; echo "${v/l/$r}" "${v/l/"$r"}"
#: substr neg
v=abcdefgh; echo ${v: -3} ${v: -3:2} ${v:1:-2} "${v:20}|"; set -- a b c d; echo "${@:2:2}" "${@: -2}" "${*:0:1}"
#: transform ops
v='a\tb'; echo "${v@E}"; v="it's"; echo "${v@Q}" ; v=hello; echo "${v@U} ${v@u} ${v@L}"; declare -r ro=1; echo "${ro@a}"; declare -A m=([x]=1); echo "${m[@]@A}"; p='\u@\h'; a=(1 "2 3"); echo "${a[@]@A}" "${a[*]@Q}"
#: indirect array
a=(1 2 3); r='a[@]'; echo "${!r}"; r='a[1]'; echo ${!r}; f() { local -n x=$1; x+=(9); echo "${#x[@]}"; }; f a; echo "${!a*}"
#: prefix names
abc1=1 abc2=2; echo ${!abc*}; for n in "${!abc@}"; do echo "$n"; done
#: read array
IFS=, read -ra a <<< "x,y,,z"; echo ${#a[@]}; read -r -n 3 v <<< abcdef; echo $v; read -r -N 4 v <<< $'a\nbcd'; echo "$v"; read -r -d : v <<< a:b; echo $v; read -r a b <<< '  lead  trail  '; echo "[$a][$b]"
#: read eof
printf 'no newline' | { read -r v; echo "$? $v"; }; printf 'a\\\nb\n' | { read v; echo "$v"; }; while IFS= read -r l || [[ -n $l ]]; do echo "<$l>"; done < <(printf 'a\nb')
#: mapfile opts
mapfile -s 1 -n 2 -t a < <(seq 5); echo "${a[@]}"; mapfile -O 2 -t a < <(seq 2); declare -p a; f() { echo "cb $1 $2"; }; mapfile -C f -c 2 -t b < <(seq 4)
#: here doc
x=5; cat <<-A
	tab $x $(echo sub) \$x `echo bt`
	A
cat <<'B'
$x `no`
B
cat <<A1; cat <<A2
one
A1
two
A2
#: here string word
v=$'a  b\n c'; cat <<< $v; cat <<< "$v"; wc -c <<< ""
#: brace
echo {1..5} {a..e..2} {01..10..3} {5..1} x{a,b{1,2},c}y {a} {,} "{a,b}" {a,b}{1,2} {10..1..-4} {z..x}
#: arith
echo $((16#ff)) $((2#101)) $((0x1F)) $((010)) $((5%3)) $((-7/2)) $((-7%3)) $((2**10)) $((1<<4|3)) $((5>3?1:0)) $((~5)) $((!0)); ((x=5, y=x++)); echo $x $y; let z=3+4 w=z*2; echo $z $w; echo $((36#z)) $((64#_)) $((1,2))
#: arith err
(echo $((1+))) 2>&1; (echo $((a b))) 2>&1; (( 1/0 )) 2>&1; echo $?; (let "x=08") 2>&1; echo $((9223372036854775807+1))
#: cond
[[ abc == a* && abc =~ ^a(b)c$ ]] && echo ${BASH_REMATCH[1]}; [[ 10 -gt 9 ]] && echo num; [[ 10 > 9 ]] || echo str; [[ -z "" && ! -n "" ]] && echo e; re='a|b'; [[ b =~ $re ]] && echo re; [[ "a|b" =~ "$re" ]] && echo lit; [ a \< b ] && echo lt; test ! x && echo no; [ ]; echo $?
#: regex utf8
[[ héllo =~ ^h.llo$ ]] && echo one; [[ "日本語" =~ (.)(.)(.) ]] && echo "${BASH_REMATCH[2]}"; shopt -s nocasematch; [[ ÉTÉ == été ]] && echo ci; [[ ab =~ ^(x)?(a)(b)$ ]]; declare -p BASH_REMATCH
#: func
f() { echo "$FUNCNAME ${#FUNCNAME[@]} $# $*"; shift 2; echo "$@"; return 4; }; f a b c d; echo $?; g() { local x=1; h; echo $x; }; h() { x=2; }; g; unset -f f; f 2>&1; declare -f h
#: declare f
f() { if [ -n "$1" ]; then for i in 1 2; do echo $i; done; else case $x in a|b) echo y ;; *) : ;; esac; fi > /dev/null 2>&1 & while read -r l; do :; done < <(ls); [[ $a == b ]] && (( i++ )) || { echo 'q' "$x"; }; cat <<E
hi $x
E
}; declare -f f; type f | head -1
#: trap sig
trap 'echo usr1' USR1; kill -USR1 $$; echo after; trap '' TERM; kill -TERM $$; echo survived; trap; trap - TERM USR1; trap -l | head -1
#: trap exit sub
trap 'echo main exit $?' EXIT; (trap 'echo sub exit' EXIT; exit 3); echo "sub $?"; f() { trap 'echo ret' RETURN; }; f; exit 5
#: pipestatus
(exit 2) | (exit 3) | true; echo "${PIPESTATUS[*]}"; set -o pipefail; (exit 2) | (exit 3) | true; echo $?; ! (exit 3) | true; echo $?
#: getopts silent
f() { local OPTIND o; while getopts :ab:c: o; do case $o in a) echo A;; b) echo "B=$OPTARG";; :) echo "need $OPTARG";; \?) echo "bad $OPTARG";; esac; done; shift $((OPTIND-1)); echo "rest $*"; }; f -ab val -x -c; f -b1 -- -a x; f2() { while getopts ab: o; do echo $o; done; }; f2 -q 2>&1
#: fd dance
exec 3>&1 4>err; { echo out; echo err >&2; } 2>&4 | tr a-z A-Z; exec 4>&-; cat err; { echo x >&3; } | cat; exec 3<&-; echo bad >&3; echo $?
#: redir order
{ echo a; echo b >&2; } > f 2>&1; cat f; { echo a; echo b >&2; } 2>&1 > g | cat; echo --; cat g; echo c &>> g; cat g; : > g; echo "$(<g)|"; ls nope > h 2>&1; cat h
#: noclobber
set -C; echo a > f; echo b > f; echo $?; echo c >| f; cat f; set +C; echo d <> f; cat f
#: exec fail
exec nosuchcmd; echo $?; ( exec /dev/null ); echo $?; /tmp; echo $?; ./nope; echo $?; nosuch; echo $?; command -v nosuch; echo $?
#: globstar
shopt -s globstar; mkdir -p a/b/c; touch a/x.js a/b/y.js a/b/c/z.js; echo **/*.js; echo **/; GLOBIGNORE='a/x*'; echo a/*
#: set opts
set -euo pipefail; echo $-; set +e; echo ${undefined-def}; (echo $undefined) 2>&1; echo $?; echo ${x:?msg here} 2>&1; echo not
#: unset msg
echo ${v:?}; 
#: cmd subst
echo "$(echo "a  b" | tr -s ' ')" `echo \`echo nested\``; x=$(printf 'a\n\n\n'); echo "[$x]"; echo $(case a in a) echo ok;; esac); echo "$(cat <<E
in $(echo here)
E
)"
#: quoting
echo "a\"b\$c\\d\`e" 'a"b' a\ b $'t\x41\u263a\e[0m' "!x" \$x "a
b"; echo -e 'a\tb\x41\0101\u00e9'; echo -n; echo -- x; echo -nE 'a\n'; echo
#: ifs
IFS=:; v=a:b::c; set -- $v; echo $#; echo "$*"; IFS=; echo $v; unset IFS; v=$' a\tb\nc '; set -- $v; echo $#; IFS=$'\n'; for l in $(printf 'x y\nz'); do echo "<$l>"; done
#: source args
printf 'echo "$0 $1 $# ${BASH_SOURCE[0]}"; return 3; echo no' > s.sh; source ./s.sh a b; echo $?; . ./nosuch.sh; echo $?; bash ./s.sh x 2>&1 | head -2
#: xtrace
set -x; a=1; echo "$a b" 'c d'; for i in 1 2; do :; done; [[ $a == 1 ]]; ((a++)); f() { echo in; }; f x; set +x; echo done
#: lineno func
echo $LINENO
f() {
  echo $LINENO
  echo ${BASH_LINENO[0]}
}

f; caller; g() { caller 0; }
g
#: local dash
f() { local -; set -f; echo $-; }; f; echo $- | grep -c f; f() { local a b=2 c; echo "${a-unset} $b"; local -i n=2+2; echo $n; local -a arr=(1 2); echo ${#arr[@]}; }; f; local x 2>&1
#: readonly err
readonly r=1; r=2; echo "still $?"
#: readonly err2
readonly -a ra=(1 2); ra[0]=5; echo no
#: ansi
printf '\e[31mred\e[0m\n' | od -c | head -2; printf '%s\n' $'\001\177'; echo $'\cA' | od -An -c
