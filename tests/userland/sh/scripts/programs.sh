#: fibonacci
a=0 b=1; for i in 1 2 3 4 5 6 7 8 9 10; do printf '%s ' $a; c=$((a+b)); a=$b; b=$c; done; echo
#: primes
n=2; while [ $n -lt 30 ]; do p=1; d=2; while [ $((d*d)) -le $n ]; do if [ $((n%d)) -eq 0 ]; then p=0; break; fi; d=$((d+1)); done; [ $p = 1 ] && printf '%s ' $n; n=$((n+1)); done; echo
#: word count
printf 'the cat the dog the end\n' | tr ' ' '\n' | sort | uniq -c | sort -rn | head -1 | { read c w; echo "$w $c"; }
#: option parsing
parse() { verbose=0 out=; while [ $# -gt 0 ]; do case $1 in -v|--verbose) verbose=1;; -o) out=$2; shift;; --out=*) out=${1#--out=};; --) shift; break;; -*) echo "bad $1"; return 1;; *) break;; esac; shift; done; echo "v=$verbose o=$out rest=$*"; }; parse -v -o x a b; parse --out=y -- -z; parse -q; echo $?
#: reversing arguments
rev=; for a in one two three; do rev="$a $rev"; done; echo $rev
#: string loop
s=hello; r=; while [ -n "$s" ]; do c=${s%"${s#?}"}; r=$c$r; s=${s#?}; done; echo $r
#: temp files and cleanup
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; echo data >"$d/f"; cat "$d/f"; [ -d "$d" ] && echo there
#: config reader
cat >c <<'E'
# comment
name=app
port = 80

E
while IFS='= ' read -r k v; do case $k in ''|\#*) continue;; esac; echo "$k -> $v"; done <c
#: path manipulation
f=/a/b/c.tar.gz; echo "${f##*/} ${f%/*} ${f#*.} ${f%%.*} $(basename $f .gz) $(dirname $f)"
#: find and loop
mkdir -p s/t; touch s/1.js s/t/2.js s/x.md; find s -name '*.js' | sort | while read -r f; do echo "js: $f"; done
#: sed and awk
printf '1 2\n3 4\n' | awk '{s+=$1*$2} END {print s}'; echo 'a-b' | sed 's/-/+/'
#: generated script
cat >gen.sh <<E
#!/bin/sh
for i in "\$@"; do echo "arg: \$i"; done
E
chmod +x gen.sh; ./gen.sh a 'b c'
#: stack of functions
main() { step1 && step2 || echo "failed at $?"; }; step1() { echo 1; }; step2() { echo 2; return 9; }; main
#: table
while IFS=, read -r name age; do printf '%-6s|%3d\n' "$name" "$age"; done <<E
Ann,30
Bob,4
E
#: sum of a column
printf 'a 1\nb 2\nc 3\n' | { t=0; while read -r _ n; do t=$((t+n)); done; echo $t; }
#: default arguments
greet() { echo "Hello, ${1:-world}${2:+ and $2}!"; }; greet; greet A; greet A B
#: retry loop
n=0; until [ $n -ge 3 ]; do n=$((n+1)); echo try $n; [ $n = 2 ] && break; done
#: parallel jobs
for i in 1 2 3; do (sleep 0.0$i; echo $i >out.$i) & done; wait; cat out.*
#: exit codes collected
fails=0; for c in true false true false; do $c || fails=$((fails+1)); done; echo $fails
#: package.json like output
printf '{\n  "name": "%s",\n  "n": %d\n}\n' pkg 3 | tee p.json | grep name
#: here document template
name=World; n=3; cat >t.txt <<E
Hello ${name}!
$(i=0; while [ $i -lt $n ]; do echo "line $i"; i=$((i+1)); done)
E
cat t.txt
#: mutual recursion
even() { [ $1 -eq 0 ] && { echo yes; return; }; odd $(($1-1)); }; odd() { [ $1 -eq 0 ] && { echo no; return; }; even $(($1-1)); }; even 10; even 7
#: ackermann
ack() { if [ $1 -eq 0 ]; then echo $(($2+1)); elif [ $2 -eq 0 ]; then ack $(($1-1)) 1; else ack $(($1-1)) $(ack $1 $(($2-1))); fi; }; ack 2 2
#: locking with mkdir
lock() { mkdir lock.d 2>/dev/null; }; lock && echo got; lock || echo busy; rmdir lock.d; lock && echo again
#: unusual spacing
if	[ 1 = 1 ]	;then	echo tab;fi;for i	in 1	2;do echo $i;done
#: quoting for eval
q="it's \"x\""; eval "y=\$q"; echo "$y"; set -- 'a b' c; eval "last=\${$#}"; echo $last
#: array emulation
i=0; for v in x y z; do eval "arr_$i=\$v"; i=$((i+1)); done; j=0; while [ $j -lt $i ]; do eval "echo \$arr_$j"; j=$((j+1)); done
#: file tests in a loop
mkdir d; touch f; ln -s f l; for x in d f l none; do if [ -L $x ]; then echo "$x link"; elif [ -d $x ]; then echo "$x dir"; elif [ -f $x ]; then echo "$x file"; else echo "$x none"; fi; done
#: set and shift parsing
line='cmd  arg1   arg2'; set -- $line; echo "$1|$2|$3|$#"; shift; echo "$*"
#: utf-8 text
x='héllo wörld'; echo "$x" "${x%% *}" "${x#* }"; for w in $x; do echo "<$w>"; done; printf '%s\n' "日本"
#: binary bytes survive
x=$(printf '\377\376ok'); printf '%s' "$x" | od -An -tx1 | tr -d ' \n'; echo
#: long line
s=$(seq -s, 1 2000); echo ${#s}; IFS=,; set -- $s; echo $# ${1000}
#: deep recursion
f() { if [ $1 -gt 0 ]; then f $(($1-1)); else echo bottom; fi; }; f 500
#: many small commands
i=0; while [ $i -lt 2000 ]; do i=$((i+1)); case $i in *00) :;; esac; done; echo $i
