#: double brackets
[[ a == a ]]; echo $?; [[ abc == a* ]]; echo $?; [[ abc == "a*" ]]; echo $?; [[ a != b && b < c ]]; echo $?; [[ -z "" || x ]]; echo $?; [[ ! -e nosuch ]]; echo $?
#: double brackets do not split
x='a b'; [[ $x == 'a b' ]]; echo $?; [[ -n $x ]]; echo $?; [[ $undefined ]]; echo $?
#: regular expressions
[[ foo123 =~ ^([a-z]+)([0-9]+)$ ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"; re='^x'; [[ xy =~ $re ]]; echo $?; [[ ab =~ "a." ]]; echo $?
#: numeric comparison
x=5; [[ x -eq 5 ]]; echo $?; [[ $x -gt 3 && $x -lt 10 ]]; echo $?; [[ ( 1 -eq 1 ) ]]; echo $?
#: arithmetic command
((1+1)); echo $?; ((0)); echo $?; x=3; ((x++)); echo $x; ((x+=10, y=2)); echo $x $y; if ((x > 5)); then echo big; fi
#: arithmetic for
for ((i=0; i<3; i++)); do echo $i; done; for ((;;)); do break; done; for ((i=3;i>0;i--)) { echo $i; }
#: increments and powers
x=5; echo $((x++)) $x $((++x)) $((x--)) $((--x)) $((2**10)) $((2**3**2)) $((16#ff)) $((2#101))
#: arrays
a=(one two "three four"); echo ${a[0]} "${a[2]}" ${#a[@]}; for i in "${a[@]}"; do echo "<$i>"; done; a+=(five); echo ${#a[*]} "${a[-1]}"; a[7]=x; echo "${!a[@]}"
#: array operations
a=(1 2 3 4 5); echo "${a[@]:1:3}" "${a[@]: -2}"; b=("${a[@]/3/X}"); echo "${b[*]}"; unset 'a[1]'; echo "${a[@]}" ${#a[@]}; IFS=,; echo "${a[*]}"
#: associative arrays
declare -A m; m[key]=v1; m["a b"]=v2; echo "${m[key]} ${m[a b]} ${#m[@]}"; m+=([z]=3); echo ${m[z]}; unset 'm[key]'; echo ${#m[@]}; declare -A n=([x]=1 [y]=2); echo $((n[x]+n[y]))
#: replace
x=hello; echo ${x/l/L} ${x//l/L} ${x/#h/H} ${x/%o/O} ${x/xyz/} ${x//[el]} ${x/l*/-}
#: slices
x=abcdef; echo ${x:2} ${x:1:3} ${x: -2} ${x:0:-1} ${x:1:0}.; set -- a b c d; echo ${@:2} ${@:2:2}
#: case changes
x=hello; echo ${x^} ${x^^}; y=WORLD; echo ${y,} ${y,,}
#: indirection
x=y; y=z; echo ${!x}; a_1=p a_2=q; echo ${!a_*}
#: dollar quotes
echo $'a\tb\n\x41\101\u00e9\'q'; x=$'multi\nline'; echo "$x"
#: here strings
cat <<<"here $((1+1))"; read a b <<<"x y"; echo $b $a; tr a-z A-Z <<<word
#: redirections of both
{ echo out; echo err >&2; } &>f; sort f; { echo o; echo e >&2; } &>>f; wc -l <f; { echo o2; echo e2 >&2; } |& sort
#: braces
echo {a,b,c} x{1..3}y {a..e} {1..10..3} {5..1} {01..03} a{b,c{d,e}}f {x} "{a,b}" {a,}b; mkdir -p d/{p,q}; ls d
#: braces with expansions
x=v; echo {$x,w}-{1,2} {a,b}$x pre{,post}
#: printf -v and %q
printf -v x '%03d' 7; echo $x; printf '%q\n' "a b" "it's"
#: read -a
read -r -a w <<<"one two three"; echo ${#w[@]} ${w[1]}; IFS=: read -ra p <<<"x:y:z"; echo "${p[2]}"
#: read delimiters and counts
read -d : x <<<"abc:def"; echo $x; read -n 2 y <<<"hello"; echo $y; printf 'a\0b\0' | while IFS= read -r -d '' z; do echo "<$z>"; done
#: local and declare
f() { local -a l=(1 2); declare -i n=2+3; local x; echo "${l[1]} $n ${x-unset}"; }; x=out; f; echo $x ${n-unset}
#: declare attributes
declare -i i=5; i+=3; echo $i; declare -u u=abc; echo $u; declare -r r=1; (r=2) 2>/dev/null; echo $?; declare -x E=env; sh -c 'echo $E'
#: declare -p
a=(x 'y z'); declare -p a; s=1; declare -p s; declare -A m=([k]=v); declare -p m
#: function keyword
function f { echo f $1; }; function g() { echo g; }; f 1; g
#: source with arguments
echo 'echo "$1 $#"' >s; source ./s a b; set -- q; source ./s
#: pipefail
set -o pipefail; false | true; echo $?; true | true; echo $?; (exit 3) | (exit 4) | true; echo $?
#: append
x=a; x+=b; echo $x; declare -i n=1; n+=2; echo $n
#: case fall through
case a in a) echo 1;& b) echo 2;; c) echo 3;; esac; case ab in a*) echo p;;& *b) echo q;; *) echo r;; esac
#: echo flags
echo -e 'a\tb\x41'; echo -E 'a\tb'; echo -ne 'x\n'; echo 'a\nb'; echo -n -e 'z\n'
#: let
let x=2+3 y=x*2; echo $x $y; let 0; echo $?
#: mapfile
printf "a\nb\n" >f; mapfile -t l <f; echo ${#l[@]} ${l[1]}
#: shopt nullglob
shopt -s nullglob; echo x nomatch*; shopt -u nullglob; echo nomatch*
#: test -v
x=1; [[ -v x ]]; echo $?; [[ -v nosuch ]]; echo $?; a=(1); [[ -v a[0] ]]; echo $?
#: type -t
type -t echo if ls; f() { :; }; type -t f nosuch; echo $?
#: unset functions and variables
f() { :; }; unset f; type f &>/dev/null; echo $?
#: wait -n and job status
(exit 3) & wait -n; echo $?
#: strict mode
set -euo pipefail; x=${1:-none}; echo $x; f() { local v=$1; echo "v=$v"; }; f a; arr=(1 2); echo "${arr[@]}"; false || echo ok
#: nested quotes in expansions
x=(a b); echo "${x[@]/#/pre-}" "${x[*]/%/-post}"; y="a.b.c"; echo "${y//./ }" ${y//./}
#: process list with arithmetic
n=0; while ((n < 3)); do ((n++)) || true; done; echo $n; echo $(( n > 2 ? 1 : 0 ))
#: star joined
a=(x y z); IFS=-; echo "${a[*]}"; printf '[%s]' "${a[@]}"; echo
#: special parameter slices
set -- one two three; echo "${*:2}" "${@: -1}" "${#}" "${@:0:2}" | sed 's/^.*two/two/'
#: empty array
a=(); echo "${#a[@]}" "${a[@]}" "[${a[*]}]"; for i in "${a[@]}"; do echo no; done; echo ok
#: loops over indexes
a=(p q r); for i in "${!a[@]}"; do echo "$i=${a[$i]}"; done; for ((i=0;i<${#a[@]};i++)); do echo ${a[i]}; done
#: multi-line array
a=(
  one   # comment
  "two words"
  three
); echo ${#a[@]} "${a[1]}"
#: statuses of a pipeline
true | (exit 3) | false; echo "${PIPESTATUS[@]}"; echo a | cat | wc -l | tr -d ' '; echo "${PIPESTATUS[0]} ${#PIPESTATUS[@]}"
#: last positional parameter
set -- a b c; echo "${!#}"; n=3; echo "${!n}"
#: where a script is
echo 'echo "${BASH_SOURCE[0]}"' >s.sh; bash s.sh
#: arrays with gaps
a=([2]=x [5]=y); echo "${!a[@]}" "${a[@]}"; a[3]=m; echo "${a[*]}"; unset a[2]; echo "${#a[@]}" ${a[5]/y/YY} ${#a[5]} "${a[9]:-unset}"; b=("${a[@]}"); b[0]=first; echo "${b[0]} ${b[@]}" ${b[-1]}
#: sorting an array
a=(3 1 2); sorted=($(printf '%s\n' "${a[@]}" | sort -n)); echo "${sorted[*]}"; for ((i = ${#sorted[@]} - 1; i >= 0; i--)); do echo ${sorted[i]}; done
#: brace combinations
echo a{1,2}{x,y} {a..c}{1..2} {z..x} {1..2}{,-} "{1,2}" {1..2}.{txt,md}
#: key and value loop
declare -A map=([one]=1 [two]=2); for k in one two; do echo "$k=${map[$k]}"; done; [[ -v map[one] ]] && echo has; unset "map[one]"; [[ -v map[one] ]] || echo gone; echo "${!map[@]}"
