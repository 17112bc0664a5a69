#: name references
x=1; declare -n r=x; r=2; echo $x ${!r}; f() { local -n ref=$1; ref+=b; }; f x; echo $x; a=(1 2); declare -n e=a[1]; e=9; echo ${a[@]} $e; unset -n r; r=q; echo $x $r; declare -n q1=a; q1+=(5); echo ${#a[@]} ${q1[2]}; for n in x a; do declare -n it=$n; echo ${it[0]}; done
#: attributes
declare -i n=3; n+=4; echo $n; n=n*2; echo $n; declare -l lo=ABC; lo+=DEF; echo $lo; declare -u up=abc; echo $up; declare -c c=hELLO; echo $c; declare -ir k=5; (k=6) 2>/dev/null || echo ro; declare +i n; n=1+1; echo $n; declare -ia ar=(1+1 2*3); echo ${ar[@]}; declare -p n k ar lo
#: declare -p
a=(1 "2 3"); declare -A m=([b c]=2 [x]=y ['q"r']=$'a\nb'); x="a\$b\"c"; declare -x ex=2; declare u; declare -a emp; declare -a e3=(); declare -n ref=a; declare -p a m x ex u emp e3 ref; declare -p nosuch 2>/dev/null || echo none
#: transformations
a=(x "y z"); v="it's"; z=$'a\nb'; declare -A m=([k]=v); declare -i n=5; echo "${a[@]@Q}" ${v@Q} ${z@Q} ${v@A} ${a[@]@A} ${n@A} "${m[@]@K}" "${a[@]@k}" ${a@a} ${m@a} ${n@a}; w=abC; echo ${w@U} ${w@u} ${w@L}; t='a\tb'; echo "${t@E}"; set -- 1 "2 3"; echo "${@@Q}"
#: case changes with patterns
v=hello; echo ${v^} ${v^^} ${v^^[aeiou]} ${v~} ${v~~} ${v^[aeiou]}; V=HELLO; echo ${V,} ${V,,} ${V,,[HL]}; a=(ab cd); echo ${a[@]^} ${a[@]^^?}; u=éa; echo ${u^^} ${#u} ${u:0:1}
#: replacement with &
v=abcabc; echo "${v//b/[&]}" "${v/a/\&}" "${v//b/'&'}"; r='<&>'; echo "${v//c/$r}" "${v//c/"$r"}"; shopt -u patsub_replacement; echo "${v/b/&}"
#: indirection
a=b; b=c; echo ${!a} ${!a:-x} ${!a/c/d}; arr=(1 2 3); i='arr[1]'; echo ${!i}; j='arr[@]'; echo ${!j}; set -- p q; echo ${!#} ${!1:-unset}; echo ${!BASH_VERSI*}; prefix_a=1 prefix_b=2; echo ${!prefix_@} "${!prefix_*}"
#: arrays
a=(1 2 3); a[7]=x; echo ${a[@]:2:2} / ${a[@]:4} / ${a[@]: -1} / ${#a[@]} ${!a[@]}; unset 'a[1]'; echo ${a[@]:1:1} "${a[*]}"; a+=(y z); echo ${!a[@]}; a[-1]=last; echo ${a[-1]} ${a[@]: -2}; b=("${a[@]}"); echo ${#b[@]}; unset b; echo ${#b[@]}; c=([5]=e [2]=b f); echo ${!c[@]} ${c[3]}; d=(a b); d+=c; echo ${d[@]}; IFS=,; echo "${d[*]}"
#: associative arrays
declare -A m; m[a b]=1; m["c"]=2; k=x; m[$k]=3; m+=([d]=4 [c]+=5); echo ${#m[@]} ${m[a b]} ${m[c]} ${m[x]}; for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done; unset 'm[c]'; [[ -v m[x] ]] && echo set; [[ -v m[zz] ]] || echo unset; declare -A n=(a 1 b 2); echo ${n[a]}${n[b]}; ((m[x]++)); echo ${m[x]}
#: the order of associative arrays is bash's
declare -A m; for i in {1..40}; do m[key$i]=$i; done; echo ${!m[@]}; echo ${m[@]}; declare -A s=([one]=1 [two]=2 [three]=3 [four]=4); for k in "${!s[@]}"; do echo $k; done
#: RANDOM and SECONDS
RANDOM=42; echo $RANDOM $RANDOM $RANDOM; RANDOM=1; echo $RANDOM $((RANDOM)); SECONDS=100; echo $((SECONDS >= 100 && SECONDS < 110)); unset RANDOM; RANDOM=5; echo $RANDOM; [[ $SRANDOM =~ ^[0-9]+$ ]] && echo s; [[ $EPOCHREALTIME =~ ^[0-9]+\.[0-9]{6}$ ]] && echo e
#: the call stack
f() { echo "${FUNCNAME[@]}|${BASH_SOURCE[@]}|${BASH_LINENO[@]}"; g; }
g() { echo "${FUNCNAME[@]}|${#BASH_SOURCE[@]}|${BASH_LINENO[@]}"; caller; caller 0; caller 1; caller 2; echo $?; }
f; echo "${#FUNCNAME[@]}"
printf 'f2() { echo ${FUNCNAME[@]} ${BASH_SOURCE[0]} ${BASH_LINENO[@]}; }\nf2\necho ${BASH_SOURCE[@]}\n' > s; . ./s; bash s
#: what bash says of itself
[[ $BASH_VERSION == 5.2* && ${BASH_VERSINFO[0]} == 5 && ${#BASH_VERSINFO[@]} == 6 ]] && echo v; echo $OSTYPE; [[ $MACHTYPE == *-pc-linux-gnu && -n $HOSTTYPE && -n $HOSTNAME ]] && echo m; [[ $UID == $(id -u) && $EUID == $UID ]] && echo u; SHLVL=5 bash -c 'echo $SHLVL'; (UID=3) 2>/dev/null || echo ro; echo $BASH_SUBSHELL; (echo $BASH_SUBSHELL); echo "$-"; echo $((BASHPID == $$)); (echo $((BASHPID == $$)))
#: the last argument
echo a b; echo $_; true x; echo "[$_]"; f() { :; }; f q; echo $_
#: local and its kin
f() { local a=1 b; b=2; local -i n=2+3; local -a l=(1 2); echo $a$b$n${l[1]}; declare -g G=glob; local; }; f; echo "[$a][$G]"; g() { local x=in; h; echo $x; }; h() { x=changed; }; x=out; g; echo $x; k() { local -; set -u; }; k; echo $-; m() { local y; unset y; y=5; }; y=1; m; echo $y
#: export -f
f() { echo "exported $1"; }; export -f f; bash -c 'f x'; declare -fx f; export -nf f; bash -c 'f' 2>/dev/null || echo gone
#: readonly
readonly R=1; R=2; echo not here
echo after $R; unset R 2>/dev/null || echo cannot; f() { local R=3; echo $R; }; f 2>/dev/null; readonly -a ra=(1 2); (ra[0]=5) 2>/dev/null || echo ra; declare -r | grep -c 'R='
#: unset
a=1; f() { :; }; unset a; unset f; unset nosuch; echo $?; x=1; unset -f x; echo $x; declare -A m=([a]=1); unset 'm[a]'; echo ${#m[@]}; unset -v x; echo ${x-gone}; unset 1a 2>/dev/null; echo $?
#: set and shopt
set -o | head -3; shopt extglob; shopt -s extglob; shopt -q extglob && echo on; shopt -p extglob nullglob; set +o | grep pipefail; shopt -u extglob; shopt -s | grep -c .; set -f; echo *; set +f; shopt -s nosuch 2>/dev/null; echo $?; set -o nosuch 2>/dev/null; echo $?; x="a b"; set | grep '^x='
#: characters and bytes
v=héllo; echo ${#v} ${v:1:1} ${v#?é} ${v/é/e}; case é in ?) echo one;; esac; [[ é == [é] ]] && echo set; LC_ALL=C; echo ${#v}; case é in ??) echo two;; esac; printf '%s\n' "${v:0:1}"; printf '%5s|\n' é
