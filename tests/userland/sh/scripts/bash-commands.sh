#: process substitution
cat <(echo a) <(echo b); while read -r l; do echo "got $l"; done < <(printf '1\n2\n'); x=$(echo hi > >(tr a-z A-Z)); echo $x; paste <(seq 2) <(seq 3 4); echo <(true) <(:); mapfile -t a < <(seq 3); echo ${#a[@]}; f() { cat "$1"; }; f <(echo in f); . <(echo echo sourced); x=$(cat <(echo deep)); echo $x; x=$(seq 3 | tee >(wc -l) >/dev/null); echo $x; n=0; while read -r _; do n=$((n+1)); done < <(seq 4); echo $n
#: select
printf '2\n' | { select o in a b c; do echo "chose $o $REPLY"; break; done; } 2>&1; printf '9\n\n1\n' | { PS3='pick '; select o in "x y" z; do echo "[$o]"; [ -n "$o" ] && break; done; } 2>&1; select q in a; do :; done < /dev/null 2>/dev/null; echo $?; set -- p q; echo 1 | { select w; do echo $w; break; done; } 2>/dev/null
#: coproc
coproc { read x; echo "got $x"; }; echo hello >&${COPROC[1]}; read -r y <&${COPROC[0]}; echo "$y"; wait $COPROC_PID; echo $?; coproc NAME { cat; }; echo z >&${NAME[1]}; eval "exec ${NAME[1]}>&-"; read -r w <&${NAME[0]}; echo $w
#: descriptors in variables
exec {fd}>f; echo a >&$fd; exec {fd}>&-; cat f; exec {in}<f; read -r l <&$in; echo $l $in; exec {in}<&-; { echo x >&$o; } {o}>g; cat g; echo b 3>h >&3; cat h
#: redirections
{ echo a; echo b >&2; } |& sort; echo c &> f; echo d &>> f; cat f; cat <<< "a $((1+1))"; exec 3>&1; echo e >&3; exec 3>&-; echo f >&3 || echo closed; echo "$(< f)"; cat < f > g; x='a b'; echo q > $x; ls; exec 4<f 5<&4-; read -u 5 z; echo $z; read -u 4 z 2>/dev/null || echo moved
#: here-documents
cat <<E1; cat <<'E2'
a $((1+1)) `echo b` $(echo c) \$x
E1
raw $x
E2
cat <<-T
	tabbed
	T
f() { cat <<F
in f $1
F
}; f x
cat <<E
no end
#: extglob
shopt -s extglob
touch a b c ab abc a.txt b.txt; ls !(b); echo @(a|b) ?(a)b *(a|b) +(a|b|c); v=foobar; echo ${v##+(f|o)} ${v%%?(b)ar} ${v/@(oo|ba)/X} ${v//[^o]/}; case abc in a*(b)c) echo m;; esac; [[ abab == +(ab) ]] && echo y; [[ abc == !(x*) ]] && echo n; echo !(*.txt); [[ a.b == *@(.b|.c) ]] && echo dots
#: pathname options
mkdir -p d/e; touch d/x.c d/e/y.c .hid z; shopt -s globstar; echo **; echo **/*.c; echo d/**; echo **/; shopt -s dotglob; echo *; shopt -u dotglob; shopt -s nullglob; echo no*ne; shopt -u nullglob; shopt -s nocaseglob; echo Z; echo [Z]; shopt -s failglob; echo no*ne 2>/dev/null; echo same
echo next; shopt -u failglob; GLOBIGNORE='z'; echo *
#: matching
[[ "v1.2.3" =~ ^v([0-9]+)\.([0-9]+) ]] && echo "${BASH_REMATCH[@]}"; re='a(b*)c'; [[ xabbc =~ $re ]] && echo ${BASH_REMATCH[1]}; [[ 'a.c' =~ "a.c" ]] && echo lit; [[ abc =~ "a.c" ]] || echo no; shopt -s nocasematch; [[ ABC == abc ]] && echo ci; case X in x) echo c;; esac; shopt -u nocasematch; [[ a < b && ! ( b < a ) ]] && echo lt; [[ -z "" || -n x ]] && echo o; [[ 3 -gt 2 && 08 == 08 ]] && echo n; [[ $x == "" ]] && echo e; [[ -v HOME && ! -v nosuch ]] && echo v; [[ "a b" == a\ b ]] && echo q
#: printf
printf '%5s|%-5s|%05d|%x|%X|%o|%c|%e|%g|%b|%q|%%|%i|%u\n' a b 42 255 255 8 xyz 1.5 0.00001 'a\tb' 'a b' 7 -1; printf '%s %s\n' a b c; printf '%d\n' "'a" 0x1f 010; printf '%.2s|%*s|%-*s|\n' abc 5 x 5 y; printf -v v %03d 7; echo $v; printf -v 'a[2]' x; echo ${a[2]}; TZ=UTC printf '%(%F %H:%M:%S %j %a)T\n' 86400; printf '\x41\u00e9\101\n'; printf '%b' '\101\0101\x41\u00e9\n' 'a\cb' c; echo; printf '%d\n' ''; printf '%d\n' 3x; printf '%q %q %q\n' '' $'a\nb' "it's"; printf '%-10b|\n' 'a\tb'; printf '%y' 1; echo $?; printf '%+d % d %#o %#x\n' 3 4 8 255; printf '%s\n' "${@:-none}"; printf '=%.0s' {1..5}; echo; printf '%5.1f|%-8.3e|\n' 3.14159 12345.678; printf 'abc%n def\n' n; echo $n
#: read
read x y <<< 'a  b c '; echo "[$x][$y]"; read -a r <<< '1 2 3'; echo ${r[1]}; read -n 2 x <<< abc; echo $x; read -N 4 x <<< $'a\nbc'; echo "[$x]"; read -d : x <<< 'a:b'; echo $x; read -r x <<< 'a\b'; echo $x; read x <<< 'a\b'; echo $x; read <<< '  sp  '; echo "[$REPLY]"; echo -n abc | { read x; echo $? $x; }; IFS=, read a b <<< '1,,2'; echo "$a|$b"; read -t 0.1 x < <(sleep 1); echo $?; read 'z[1]' <<< zz; echo ${z[1]}; read -n 1 u <<< é; echo $u; read -r -d '' v <<< $'x\ny'; echo "$v"; read -u 77 x 2>/dev/null; echo $?
#: mapfile
mapfile -t -n 2 -s 1 a < <(seq 5); echo ${a[@]}; mapfile -O 3 -t a < <(seq 2); declare -p a; mapfile -t -C 'echo cb' -c 2 b < <(seq 4); readarray -d '' -t c < <(printf 'a\0b\0'); echo ${#c[@]}; readarray -d : -t p <<< 'a:b:c'; echo "${p[1]}"; mapfile < <(seq 2); echo ${#MAPFILE[@]} "${MAPFILE[0]}"
#: the directory stack
cd /tmp; pushd /usr; pushd /etc; dirs; dirs -v; dirs -p; dirs +1; dirs -0; pushd; pushd +1; popd; popd +0; popd; echo $?; pushd /nosuch 2>/dev/null; echo $?; pushd 2>/dev/null; echo $?; dirs -c; dirs; pushd -n /usr; popd -n; echo ${DIRSTACK[@]}; popd abc 2>/dev/null; echo $?; cd /usr; cd -; echo ~+ ~-
#: what a name means
type -t echo ls if f; f() { echo 1; }; type -t f; type f; type -a echo | head -1; type -P ls | grep -c /ls; command -v f if echo; command -V f | head -1; shopt -s expand_aliases
alias q='w x'; type q; alias; unalias q; type nosuch 2>/dev/null; echo $?; enable -n echo; type -t echo; enable echo; type -t echo; builtin echo b; hash -r; help -s cd; command -p echo p
#: declare -f
f() { local a=1; if [ $a = 1 ]; then echo "x y" > /dev/null 2>&1; elif true; then :; else :; fi; for i in 1 2; do echo $i; done; while false; do :; done; case $a in a|b) echo 1;; *) echo 2;& c) ;; esac; { echo a; }; (echo b; echo c) | cat && echo d || echo e; [[ $a == b* && -n c ]] || ((a++)); for ((i=0;i<3;i++)); do :; done; x=$(ls); sleep 1 & ! true; time true; until false; do break; done; select x in a b; do :; done; arr=(1 2 [5]=x); cat <<< hi; return 0; }; declare -f f; declare -F; g() ( echo sub ); declare -f g; h() { :; } > /dev/null; declare -f h
#: compgen
compgen -W 'abc abd xyz' ab; f1() { :; }; compgen -A function f; compgen -v BASH_VERSIO; compgen -k i; compgen -b ec; touch zz1; compgen -f zz; compgen -P p -S s -W 'a b'; compgen -W a z; echo $?; compgen -X '*b' -W 'ab ac'; compgen -A signal SIGH; compgen -A shopt extg; compgen -G 'zz*'
#: jobs
sleep 0.3 & jobs; jobs -p | grep -c .; wait; echo $?; (exit 3) & wait -n; echo $?; wait -n; echo $?; false & wait $!; echo $?; wait 99999 2>/dev/null; echo $?; sleep 0.1 & p=$!; wait -n -p v $p; echo $((v==p)); sleep 5 & disown; jobs; kill $!; sleep 5 & kill %%; wait $! 2>/dev/null; echo $?; kill -l 137; kill -l TERM 9
#: time
TIMEFORMAT='%R %%'; { time true; } 2>&1 | grep -c '^[0-9]*\.... %'; { time -p true; } 2>&1 | wc -l; unset TIMEFORMAT; { time true; } 2>&1 | grep -c 'm[0-9]*\.'; time 2>/dev/null; echo $?; TIMEFORMAT=; { time echo q; } 2>&1
#: set -x
PS4='+$LINENO '; exec 2>&1; set -x; x=1 y='a b'; echo "$y" "" "it's"; for i in a; do :; done; [[ a == b* ]]; (( x > 1 )); case $x in 1) :;; esac; a=(1 2); z=$(echo t); eval 'echo ev'; f() { echo f; }; f; declare q=3; set +x
#: arithmetic
echo $((2**10)) $((-7/2)) $((-7%3)) $((1<<65)) $((x=5,x+=2)) $((x++ + ++x)) $((16#ff)) $((2#101)) $((0x1F)) $((010)) $((5>3?1:0)) $((!0)) $((~5)); ((y=x>3)); echo $y $?; ((0)); echo $?; let z=3*4 z++; echo $z; a=(1 2 3); echo $((a[1]+a[2])) ; ((a[0]+=5)); echo ${a[0]} $((9223372036854775807+1)); i=1; while ((i<=3)); do ((i++)); done; echo $i; echo $(( 1 + ( 2 * 3 ) )) $((1,2)); ((1/0)); echo $?; echo $((echo sub) | cat)
#: brace expansion
echo {a,b}{1,2} {1..5} {5..1} {a..e} {1..10..3} {01..03} {-2..2} x{,y}z {a,{b,c}}d {1..3}{a,b} {a} {} {a..1} "{a,b}" \{a,b} {a,b\,c} ${x:-{a,b}} {z..x} {10..1..4}
#: case
case a in a) echo 1;& b) echo 2;; c) echo 3;; esac; case a in a) echo x;;& [a-z]) echo y;;& *) echo z;; esac; case "a b" in a\ b) echo sp;; esac; case x in (x|y) echo par;; esac; case '*' in \*) echo star;; esac; case q in esac; echo $?
#: lastpipe and subshells
shopt -s lastpipe; echo x | read v; echo "[$v]"; seq 3 | mapfile -t a; echo ${#a[@]}; v=1; (v=2); echo $v; seq 2 | while read l; do v=$l; done; echo $v
#: functions
function kw { echo kw $1; }; kw a; f() { echo $# "$@"; set -- x; echo $1; }; f 1 '2 3'; echo $#; g() { g2() { echo nested; }; }; g; g2; unset -f g2; g2 2>/dev/null || echo gone; rec() { (($1 > 0)) && { echo -n $1; rec $(($1-1)); }; }; rec 5; echo; exec_() { return; }; false; exec_; echo $?; FUNCNEST=3; d() { d; }; d 2>/dev/null; echo $?
#: exec -a and its kin
(exec -a name bash -c 'echo $0'); (exec -c env) | grep -c HOME; command_not_found_handle() { echo "no $1"; return 9; }; nosuch arg; echo $?; bash -c 'echo $0 $1 $#' n a b; echo 'echo $0 $1' > s; bash s q; bash -c 'exit 3'; echo $?; bash --version | head -1 | cut -d' ' -f1-2; bash -o pipefail -c 'false | true'; echo $?; bash -O extglob -c 'echo ok'
