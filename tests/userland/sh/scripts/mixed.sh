#: 001 x=1; echo "${x}$((x+1))`echo 3`$(echo 4)"
x=1; echo "${x}$((x+1))`echo 3`$(echo 4)"
#: 002 echo ${x:-$(echo "a b")} "${x:-$(echo "a  b")}"
echo ${x:-$(echo "a b")} "${x:-$(echo "a  b")}"
#: 003 f() { echo "$@"; }; f "a b" c; f "$(printf 'x\ny')
f() { echo "$@"; }; f "a b" c; f "$(printf 'x\ny')"
#: 004 for i in a b; do for j in 1 2; do echo $i$j; done;
for i in a b; do for j in 1 2; do echo $i$j; done; done | sort -r | while read l; do printf '%s,' $l; done; echo
#: 005 set -- "a b" 'c*'; for x; do printf '[%s]' "$x"; d
set -- "a b" 'c*'; for x; do printf '[%s]' "$x"; done; echo; printf '[%s]' $*; echo
#: 006 cat <<A
cat <<A
$(cat <<B
inner $x
B
)
A
#: 007 x='$(echo no)'; echo "$x" $x; eval echo "$x"
x='$(echo no)'; echo "$x" $x; eval echo "$x"
#: 008 printf '%s\n' "a\"b" 'a"b' a\"b "a'b"
printf '%s\n' "a\"b" 'a"b' a\"b "a'b"
#: 009 case "a b" in a\ b) echo m;; esac; case ab in a"b"
case "a b" in a\ b) echo m;; esac; case ab in a"b") echo q;; esac
#: 010 echo "$(echo '"')" "`echo '\"'`"
echo "$(echo '"')" "`echo '\"'`"
#: 011 echo "a`echo "b\`echo c\`"`"
echo "a`echo "b\`echo c\`"`"
#: 012 (echo a; exit 2) && echo yes || echo no $?
(echo a; exit 2) && echo yes || echo no $?
#: 013 { echo a; false; } && echo yes || echo no $?
{ echo a; false; } && echo yes || echo no $?
#: 014 ! { false; }; echo $?
! { false; }; echo $?
#: 015 x=5; until [ $x -le 0 ]; do x=$((x-1)); [ $x = 2 ]
x=5; until [ $x -le 0 ]; do x=$((x-1)); [ $x = 2 ] && break; done; echo $x
#: 016 IFS=:; set -- a:b c; echo $1 "$*" $*
IFS=:; set -- a:b c; echo $1 "$*" $*
#: 017 x=a:b; IFS=:; echo $x "$x"; unset IFS; echo $x
x=a:b; IFS=:; echo $x "$x"; unset IFS; echo $x
#: 018 echo a{b,c}d {1..3}
echo a{b,c}d {1..3}
#: 019 echo `echo a` `echo b`
echo `echo a` `echo b`
#: 020 trap 'echo exit $?' EXIT; (exit 3); false
trap 'echo exit $?' EXIT; (exit 3); false
#: 021 trap 'echo exit $?' EXIT; f() { return 3; }; f
trap 'echo exit $?' EXIT; f() { return 3; }; f
#: 022 f() { trap 'echo ft' EXIT; }; f; echo x
f() { trap 'echo ft' EXIT; }; f; echo x
#: 023 f() ( exit 4 ); f; echo $?
f() ( exit 4 ); f; echo $?
#: 024 x=$(f() { echo in; }; f); echo $x
x=$(f() { echo in; }; f); echo $x
#: 025 echo ${x+y}${x-z}; x=; echo ${x+y}${x-z}
echo ${x+y}${x-z}; x=; echo ${x+y}${x-z}
#: 026 unset x; : "${x:=a b}"; echo $x; set -- $x; echo $
unset x; : "${x:=a b}"; echo $x; set -- $x; echo $#
#: 027 a=1; b=2; a=$b b=$a; echo $a $b
a=1; b=2; a=$b b=$a; echo $a $b
#: 028 a=1 a=2 a=3; echo $a
a=1 a=2 a=3; echo $a
#: 029 [ -n "$(echo x)" ] && echo ok; test "$(echo)" || e
[ -n "$(echo x)" ] && echo ok; test "$(echo)" || echo empty
#: 030 test -e / -a -d /tmp && echo both; test ! -e /nosu
test -e / -a -d /tmp && echo both; test ! -e /nosuch && echo not
#: 031 echo $(( $(echo 1) + ${x:-2} )); y=3; echo $((${y}
echo $(( $(echo 1) + ${x:-2} )); y=3; echo $((${y}$y))
#: 032 echo $((08))
echo $((08))
#: 033 echo $((1 +))
echo $((1 +))
#: 034 x='1+2'; echo $((x))
x='1+2'; echo $((x))
#: 035 x='1+2'; echo $(($x*2))
x='1+2'; echo $(($x*2))
#: 036 while read a; do echo "<$a>"; done <<E
while read a; do echo "<$a>"; done <<E
 lead
trail 
back\\slash
E
#: 037 echo one > f; echo two >> f; while read l <&3; do
echo one > f; echo two >> f; while read l <&3; do echo "l $l"; done 3<f
#: 038 exec 3<&0 </dev/null; read x; echo "$?"; exec <&3
exec 3<&0 </dev/null; read x; echo "$?"; exec <&3
#: 039 echo hi | { read x; echo $x; } | { read y; echo "y
echo hi | { read x; echo $x; } | { read y; echo "y $y"; }
#: 040 ls /nosuch >/dev/null 2>&1; echo $?
ls /nosuch >/dev/null 2>&1; echo $?
#: 041 ls /nosuch 2>/dev/null || echo failed
ls /nosuch 2>/dev/null || echo failed
#: 042 : > empty; [ -s empty ] || echo is empty; wc -c <
: > empty; [ -s empty ] || echo is empty; wc -c < empty
#: 043 f() { echo $#; }; f "" ; f; f $nothing; f "$nothin
f() { echo $#; }; f "" ; f; f $nothing; f "$nothing"
#: 044 eval "f() { echo evaled; }"; f
eval "f() { echo evaled; }"; f
#: 045 eval 'x=1
eval 'x=1
y=2'; echo $x$y
#: 046 if [ 1 -gt 0 ] && [ 2 -gt 1 ]; then echo both; fi
if [ 1 -gt 0 ] && [ 2 -gt 1 ]; then echo both; fi
#: 047 echo a; # comment; echo b
echo a; # comment; echo b
#: 048 echo a;# comment
echo a;# comment
#: 049 x=a#b; echo $x
x=a#b; echo $x
#: 050 echo \
echo \
a
#: 051 echo "a\
echo "a\
b"
#: 052 echo 'a\
echo 'a\
b'
#: 053 A=x; case $A in x) echo 1 ;; esac; case x in $A) e
A=x; case $A in x) echo 1 ;; esac; case x in $A) echo 2;; esac
#: 054 while :; do echo once; break; done; echo $?
while :; do echo once; break; done; echo $?
#: 055 for i in 1 2 3; do echo $i; done | tail -1
for i in 1 2 3; do echo $i; done | tail -1
#: 056 for i in $(seq 3); do echo $i; done
for i in $(seq 3); do echo $i; done
#: 057 seq 5 | while read i; do [ $i = 3 ] && exit 7; ech
seq 5 | while read i; do [ $i = 3 ] && exit 7; echo $i; done; echo $?
#: 058 (cd /tmp && pwd); cd /usr/../tmp; pwd; cd //; pwd;
(cd /tmp && pwd); cd /usr/../tmp; pwd; cd //; pwd; cd /; cd usr/bin/../lib; pwd
#: 059 cd; echo $?
cd; echo $?
#: 060 umask 022; umask; umask -S; umask g-w,o=; umask
umask 022; umask; umask -S; umask g-w,o=; umask
#: 061 readonly x=5; echo $x; x=6; echo not reached
readonly x=5; echo $x; x=6; echo not reached
#: 062 f() { local a=1; local b=$a; echo $b; }; f
f() { local a=1; local b=$a; echo $b; }; f
#: 063 f() { local a b=2 c; a=1; echo $a$b${c-u}; }; f; e
f() { local a b=2 c; a=1; echo $a$b${c-u}; }; f; echo ${a-u}
#: 064 f() { x=$1; shift; [ $# -gt 0 ] && f "$@"; echo $x
f() { x=$1; shift; [ $# -gt 0 ] && f "$@"; echo $x; }; f 1 2 3
#: 065 alias e=echo; e hi
alias e=echo; e hi
#: 066 alias e=echo
alias e=echo
#: 067 e hi
e hi
#: 068 alias ls='echo mine'
alias ls='echo mine'
#: 069 ls foo; \ls /nosuch 2>/dev/null; 'ls' /nosuch 2>/d
ls foo; \ls /nosuch 2>/dev/null; 'ls' /nosuch 2>/dev/null; echo $?
#: 070 type alias : ls cd exec | head -3
type alias : ls cd exec | head -3
#: 071 hash >/dev/null; echo $?
hash >/dev/null; echo $?
#: 072 kill -s 0 $$; echo $?
kill -s 0 $$; echo $?
#: 073 echo $- | grep -q i; echo $?
echo $- | grep -q i; echo $?
#: 074 set -- -n x; echo "$@"
set -- -n x; echo "$@"
#: 075 echo -n; echo -nx; echo -n -n a; echo
echo -n; echo -nx; echo -n -n a; echo
#: 076 printf '%s' a b; printf '\n'; printf '%d%%\n' 50;
printf '%s' a b; printf '\n'; printf '%d%%\n' 50; printf '%c' ''; printf '%5c|\n' a; printf '%-5d|%+d|% d\n' 3 4 5
#: 077 printf '%.3d %8.3d %x\n' 5 5 -1
printf '%.3d %8.3d %x\n' 5 5 -1
#: 078 printf '%s %d\n' a 1 b 2 c
printf '%s %d\n' a 1 b 2 c
#: 079 printf 'a\0b' | od -c | head -1
printf 'a\0b' | od -c | head -1
#: 080 printf '%b\n' '\x41' '\u0041'; printf '\x41\n'
printf '%b\n' '\x41' '\u0041'; printf '\x41\n'
#: 081 printf '%s\n' -- a; printf -- '%s\n' b
printf '%s\n' -- a; printf -- '%s\n' b
#: 082 printf '%10.3s|%-10s|\n' abcdef xyz
printf '%10.3s|%-10s|\n' abcdef xyz
#: 083 printf '%i %o %X\n' 10 10 10; printf '%e\n' 0; pri
printf '%i %o %X\n' 10 10 10; printf '%e\n' 0; printf '%G %g\n' 1e-10 123456789
#: 084 echo 'a\\b' 'c\nd' "e\\f" 'g\0101h' '\e' '\x41'
echo 'a\\b' 'c\nd' "e\\f" 'g\0101h' '\e' '\x41'
#: 085 read -r a b <<E
read -r a b <<E
x  y  z
E
#: 086 echo "$a|$b"
echo "$a|$b"
#: 087 echo 'a b c' | while read x; do set -- $x; echo $#
echo 'a b c' | while read x; do set -- $x; echo $#; done
#: 088 getopts a:b x -a foo -b; echo $x $OPTARG $OPTIND;
getopts a:b x -a foo -b; echo $x $OPTARG $OPTIND; getopts a:b x -a foo -b; echo $x
#: 089 shift 0; echo $?; set -- 1; shift; shift 2>/dev/nu
shift 0; echo $?; set -- 1; shift; shift 2>/dev/null; echo no
#: 090 exec 2>/dev/null; nosuch; echo $?
exec 2>/dev/null; nosuch; echo $?
#: 091 exec >f; echo a; exec >/dev/null; cat f >&2
exec >f; echo a; exec >/dev/null; cat f >&2
#: 092 x=`exit 3`; echo $?; x=`exit 3` true; echo $?
x=`exit 3`; echo $?; x=`exit 3` true; echo $?
#: 093 true | false | true; echo $?; (true | exit 5); ech
true | false | true; echo $?; (true | exit 5); echo $?
#: 094 sleep 0.01 & wait; echo $?; wait; echo $?
sleep 0.01 & wait; echo $?; wait; echo $?
#: 095 { sleep 0.01; exit 3; } & wait %1; echo $?
{ sleep 0.01; exit 3; } & wait %1; echo $?
#: 096 : & : & wait; jobs; echo done
: & : & wait; jobs; echo done
#: 097 (sleep 5 & kill $!; wait $!; echo $?)
(sleep 5 & kill $!; wait $!; echo $?)
#: 098 sh -c 'exit 300'; echo $?; sh -c 'exit -1' 2>/dev/
sh -c 'exit 300'; echo $?; sh -c 'exit -1' 2>/dev/null; echo $?
#: 099 command exit 3; echo no
command exit 3; echo no
#: 100 command return 2>/dev/null; echo no
command return 2>/dev/null; echo no
#: 101 times >/dev/null; echo $?
times >/dev/null; echo $?
#: 102 set -e; f() { echo a; return 1; }; f && echo b; ec
set -e; f() { echo a; return 1; }; f && echo b; echo c; f; echo d
#: 103 set -e; x=$(false) || echo caught; if x=$(false);
set -e; x=$(false) || echo caught; if x=$(false); then :; fi; echo $(false) ok; x=$(false); echo no
#: 104 set -e; { false; echo in; } || echo out; (false; e
set -e; { false; echo in; } || echo out; (false; echo sub) && true; echo end
#: 105 set -e; while false; do :; done; until true; do :;
set -e; while false; do :; done; until true; do :; done; echo a; for i in 1; do ! true; done; echo b
#: 106 set -u; f() { echo "${1-none}"; }; f; f a; echo "$
set -u; f() { echo "${1-none}"; }; f; f a; echo "${nope}"; echo no
#: 107 set -x 2>/dev/null; echo a
set -x 2>/dev/null; echo a
#: 108 set -f; echo /*; set +f; set -- /et*; echo $1
set -f; echo /*; set +f; set -- /et*; echo $1
#: 109 set -o errexit; set -o | grep errexit; set +o erre
set -o errexit; set -o | grep errexit; set +o errexit
#: 110 set -a; Q=1; env | grep ^Q=
set -a; Q=1; env | grep ^Q=
#: 111 set -C; echo a >f; echo b 2>/dev/null >f; echo $?
set -C; echo a >f; echo b 2>/dev/null >f; echo $?
#: 112 echo ${#*} ${#@} $#; set -- a bb; echo ${#*} ${#@}
echo ${#*} ${#@} $#; set -- a bb; echo ${#*} ${#@}
#: 113 x=abc; echo ${x%} ${x#} ${x%%} ${x:-} ${x:+}
x=abc; echo ${x%} ${x#} ${x%%} ${x:-} ${x:+}
#: 114 x='a b c'; echo ${x% *} ${x%% *} "${x#* }" ${x##*
x='a b c'; echo ${x% *} ${x%% *} "${x#* }" ${x##* }
#: 115 x=aaa; echo ${x#a*} ${x##a*} ${x%a*} ${x%%a*}
x=aaa; echo ${x#a*} ${x##a*} ${x%a*} ${x%%a*}
#: 116 x='[a]'; echo ${x#[} ${x#\[} ${x%]} ${x#"["}
x='[a]'; echo ${x#[} ${x#\[} ${x%]} ${x#"["}
#: 117 x='a\b'; echo ${x#a\\} ; printf '%s\n' "${x%\\*}"
x='a\b'; echo ${x#a\\} ; printf '%s\n' "${x%\\*}"
#: 118 x=~; [ "$x" = "$HOME" ] && echo home; x=a:~; echo
x=~; [ "$x" = "$HOME" ] && echo home; x=a:~; echo ${x#a:} | grep -q '~' && echo lit || echo exp
#: 119 echo "~" '~' \~ ~nosuchuser a~b
echo "~" '~' \~ ~nosuchuser a~b
#: 120 echo $1$2 ${1}x "${1-d}"; set -- p q; echo $1$2
echo $1$2 ${1}x "${1-d}"; set -- p q; echo $1$2
#: 121 echo "$@" | wc -c; echo "$*" | wc -c
echo "$@" | wc -c; echo "$*" | wc -c
#: 122 set -- 'a b' c; x="$*"; y="$@"; echo "$x|$y"
set -- 'a b' c; x="$*"; y="$@"; echo "$x|$y"
#: 123 set -- 'a b' c; for i in x"$@"y; do echo "<$i>"; d
set -- 'a b' c; for i in x"$@"y; do echo "<$i>"; done; for i in x$@y; do echo "[$i]"; done
#: 124 set --; for i in "$@"; do echo no; done; for i in
set --; for i in "$@"; do echo no; done; for i in "$*"; do echo "<$i>"; done; for i in ""$@; do echo "[$i]"; done
#: 125 IFS=; set -- 'a b' c; echo $* "$*" $@
IFS=; set -- 'a b' c; echo $* "$*" $@
#: 126 IFS=' ,'; x='a , b,c  d,,e'; for i in $x; do echo
IFS=' ,'; x='a , b,c  d,,e'; for i in $x; do echo "<$i>"; done
#: 127 x='*'; echo "$x" | cat; case $x in '*') echo star;
x='*'; echo "$x" | cat; case $x in '*') echo star;; esac; [ "$x" = '*' ] && echo eq
#: 128 [ ! -d /nosuch -a -d / ] && echo ok; [ -d / -o -x
[ ! -d /nosuch -a -d / ] && echo ok; [ -d / -o -x /nosuch ]; echo $?
#: 129 [ "a" \< "b" ]; echo $?; [ b \> a ]; echo $?
[ "a" \< "b" ]; echo $?; [ b \> a ]; echo $?
#: 130 [ -t 0 ]; echo $?; [ -p /dev/stdin ]; echo $?; [ -
[ -t 0 ]; echo $?; [ -p /dev/stdin ]; echo $?; [ -c /dev/null ]; echo $?
#: 131 [ 0x10 -eq 16 ]; echo $?; [ " 5" -eq 5 ]; echo $?;
[ 0x10 -eq 16 ]; echo $?; [ " 5" -eq 5 ]; echo $?; [ 5x -eq 5 ]; echo $?
#: 132 [ a = b -o c = c ]; echo $?; [ -n a -a -z "" ]; ec
[ a = b -o c = c ]; echo $?; [ -n a -a -z "" ]; echo $?; [ ! a = b ]; echo $?; [ ! -n "" ]; echo $?
#: 133 test a = ; echo $?; test = b; echo $?; test -n = ;
test a = ; echo $?; test = b; echo $?; test -n = ; echo $?
#: 134 a() { echo A; }; a; a () { echo B; }; a; a( ) { ec
a() { echo A; }; a; a () { echo B; }; a; a( ) { echo C; }; a
#: 135 if :; then :; else :; fi; echo $?; if ! :; then :;
if :; then :; else :; fi; echo $?; if ! :; then :; fi; echo $?
#: 136 case x in x) ;; esac; echo $?; case x in y) false;
case x in x) ;; esac; echo $?; case x in y) false;; esac; echo $?; false; case x in x) esac; echo $?
#: 137 while false; do :; done; false; for i in; do :; do
while false; do :; done; false; for i in; do :; done; echo $?
#: 138 true && (false || (true && echo nested))
true && (false || (true && echo nested))
#: 139 echo a && echo b || echo c && echo d
echo a && echo b || echo c && echo d
#: 140 false || false || echo third; true && true && echo
false || false || echo third; true && true && echo third
#: 141 echo x | (read y; echo $y); echo x | { read y && e
echo x | (read y; echo $y); echo x | { read y && echo $y; }
#: 142 (((echo triple)))
(((echo triple)))
#: 143 { { { echo braces; }; }; }
{ { { echo braces; }; }; }
#: 144 echo }; echo {; echo a}b{c
echo }; echo {; echo a}b{c
#: 145 echo if; echo then fi; if=1; echo $if
echo if; echo then fi; if=1; echo $if
#: 146 $nothing echo still; $nothing; echo $?
$nothing echo still; $nothing; echo $?
#: 147 "" 2>/dev/null; echo $?; ' ' 2>/dev/null; echo $?
"" 2>/dev/null; echo $?; ' ' 2>/dev/null; echo $?
#: 148 x=echo; $x hi; x='echo a b'; $x c; "$x" 2>/dev/nul
x=echo; $x hi; x='echo a b'; $x c; "$x" 2>/dev/null; echo $?
#: 149 1=2 2>/dev/null; echo $?; a.b=1 2>/dev/null; echo
1=2 2>/dev/null; echo $?; a.b=1 2>/dev/null; echo $?; 'x'=1 2>/dev/null; echo $?
#: 150 x=1 y=$x env | grep ^y=; x=1 sh -c 'echo $x'
x=1 y=$x env | grep ^y=; x=1 sh -c 'echo $x'
#: 151 PATH=/nosuch; ls 2>/dev/null; echo $?; echo builti
PATH=/nosuch; ls 2>/dev/null; echo $?; echo builtin still
#: 152 PATH=/nosuch ls 2>/dev/null; echo $?; ls / >/dev/n
PATH=/nosuch ls 2>/dev/null; echo $?; ls / >/dev/null; echo $?
#: 153 unset PATH; ls / >/dev/null 2>&1; echo $?
unset PATH; ls / >/dev/null 2>&1; echo $?
#: 154 HOME=/tmp; cd; pwd; cd ~; pwd; unset HOME; cd; ech
HOME=/tmp; cd; pwd; cd ~; pwd; unset HOME; cd; echo $?
#: 155 OLDPWD=/usr; cd -; CDPATH=/; cd tmp; unset CDPATH;
OLDPWD=/usr; cd -; CDPATH=/; cd tmp; unset CDPATH; cd .; pwd
#: 156 export A; A=5; sh -c 'echo ${A-no}'; unset A; sh -
export A; A=5; sh -c 'echo ${A-no}'; unset A; sh -c 'echo ${A-no}'
#: 157 export B=1; B=2; sh -c 'echo $B'; (B=3; sh -c 'ech
export B=1; B=2; sh -c 'echo $B'; (B=3; sh -c 'echo $B'); sh -c 'echo $B'
#: 158 f() { export C=1; }; f; sh -c 'echo $C'; D=1 f; sh
f() { export C=1; }; f; sh -c 'echo $C'; D=1 f; sh -c 'echo ${D-no}'
#: 159 x=$(echo a
x=$(echo a
echo b); echo "$x"; echo $(
echo c
)
#: 160 echo "$(echo "$(echo "$(echo 'deep  quote')")")"
echo "$(echo "$(echo "$(echo 'deep  quote')")")"
#: 161 echo $(echo \)) "$(echo ")")" '$(' "\$("
echo $(echo \)) "$(echo ")")" '$(' "\$("
#: 162 echo $(case x in (x) echo paren;; esac) $(case x i
echo $(case x in (x) echo paren;; esac) $(case x in x) echo nop;; esac)
#: 163 echo $(# comment with )
echo $(# comment with )
echo after)
#: 164 cat <<'A'; echo mid; cat <<B
cat <<'A'; echo mid; cat <<B
raw $x
A
cooked $((1+1))
B
#: 165 cat <<E; cat <<F
cat <<E; cat <<F
one
E
two
F
#: 166 cat <<-E
cat <<-E
		tabs
	  mixed
	E
#: 167 cat << 'end of' && echo next
cat << 'end of' && echo next
body
end of
#: 168 cat <<E | cat -n
cat <<E | cat -n
a
b
E
#: 169 cat <<E 2>/dev/null >f
cat <<E 2>/dev/null >f
to file
E
#: 170 cat f
cat f
#: 171 f() { cat <<E
f() { cat <<E
in function $1
E
}; f a; f b
#: 172 for i in 1 2; do cat <<E
for i in 1 2; do cat <<E
loop $i
E
done
#: 173 x=$(cat <<E
x=$(cat <<E
sub
E
) && echo "$x"
#: 174 cat <<E
cat <<E
"$x" '$x' \$x `echo "q"` $(echo '$x') \a \\ \
joined
E
#: 175 cat <<E
cat <<E
${x:-default "quoted" 'single'}
E
#: 176 echo a >&2 2>&1 | cat
echo a >&2 2>&1 | cat
#: 177 { echo 1; echo 2 >&2; echo 3; } 2>/dev/null | wc -
{ echo 1; echo 2 >&2; echo 3; } 2>/dev/null | wc -l
#: 178 echo a 1>&2 2>/dev/null; echo b 2>&1 1>/dev/null;
echo a 1>&2 2>/dev/null; echo b 2>&1 1>/dev/null; echo c
#: 179 cat < /dev/null > f; ls f; rm f; ls f 2>/dev/null;
cat < /dev/null > f; ls f; rm f; ls f 2>/dev/null; echo $?
#: 180 echo x > f; cat < f < /dev/null; cat f - < /dev/nu
echo x > f; cat < f < /dev/null; cat f - < /dev/null
#: 181 exec 5>&1; echo to5 >&5; (echo sub >&5); exec 5>&-
exec 5>&1; echo to5 >&5; (echo sub >&5); exec 5>&-; echo x >&5 2>/dev/null; echo $?
#: 182 trap 'echo a; echo b' EXIT; trap; exit 0
trap 'echo a; echo b' EXIT; trap; exit 0
#: 183 trap "echo 'q'" EXIT; trap 'echo 2' 0
trap "echo 'q'" EXIT; trap 'echo 2' 0
#: 184 trap 'x=1' EXIT; (echo $x)
trap 'x=1' EXIT; (echo $x)
#: 185 trap 'echo caught; trap - EXIT' EXIT; exit 2
trap 'echo caught; trap - EXIT' EXIT; exit 2
#: 186 trap '' EXIT; exit 3
trap '' EXIT; exit 3
#: 187 f() { return $1; }; f 5; echo $?; f 256; echo $?;
f() { return $1; }; f 5; echo $?; f 256; echo $?; f 3 || echo "or $?"
#: 188 f() { for i in 1 2 3; do [ $i = 2 ] && return; ech
f() { for i in 1 2 3; do [ $i = 2 ] && return; echo $i; done; }; f; echo $?
#: 189 f() { while read x; do return 9; done; }; echo a |
f() { while read x; do return 9; done; }; echo a | f; echo $?
#: 190 break 2>/dev/null; for i in 1 2; do (break); echo
break 2>/dev/null; for i in 1 2; do (break); echo $i; done
#: 191 for i in 1 2; do echo $i; continue; echo no; done;
for i in 1 2; do echo $i; continue; echo no; done; for i in 1 2; do f() { break; }; f; echo $i; done
#: 192 i=0; while :; do i=$((i+1)); case $i in 3) continu
i=0; while :; do i=$((i+1)); case $i in 3) continue;; 5) break;; esac; echo $i; done
#: 193 eval 'for i in 1 2; do' 'echo $i; done'
eval 'for i in 1 2; do' 'echo $i; done'
#: 194 eval 'echo "a' 'b"'; eval "echo \"\$(echo x)\""
eval 'echo "a' 'b"'; eval "echo \"\$(echo x)\""
#: 195 . /dev/null; echo $?; echo 'return 3' > r; . ./r;
. /dev/null; echo $?; echo 'return 3' > r; . ./r; echo $?; echo 'x=5; set -- a b' > s; set -- q; . ./s; echo $x $1
#: 196 echo 'exit 4' > e; (. ./e; echo no); echo $?
echo 'exit 4' > e; (. ./e; echo no); echo $?
#: 197 echo 'break' > b; for i in 1 2; do . ./b; echo no;
echo 'break' > b; for i in 1 2; do . ./b; echo no; done; echo out
#: 198 wait 1 2>/dev/null; echo $?; wait abc 2>/dev/null;
wait 1 2>/dev/null; echo $?; wait abc 2>/dev/null; echo $?
#: 199 kill 2>/dev/null; echo $?; kill -9 2>/dev/null; ec
kill 2>/dev/null; echo $?; kill -9 2>/dev/null; echo $?; kill -s NOPE $$ 2>/dev/null; echo $?
#: 200 umask abc 2>/dev/null; echo $?; umask 8 2>/dev/nul
umask abc 2>/dev/null; echo $?; umask 8 2>/dev/null; echo $?; umask
#: 201 ulimit -x 2>/dev/null; echo $?
ulimit -x 2>/dev/null; echo $?
#: 202 unalias nope 2>/dev/null; echo $?; alias 'a b=c' 2
unalias nope 2>/dev/null; echo $?; alias 'a b=c' 2>/dev/null; echo $?
#: 203 type nope >/dev/null 2>&1; echo $?; command -V nop
type nope >/dev/null 2>&1; echo $?; command -V nope >/dev/null 2>&1; echo $?
#: 204 cd /nope 2>/dev/null || echo "no $?"; cd a b 2>/de
cd /nope 2>/dev/null || echo "no $?"; cd a b 2>/dev/null; echo $?
#: 205 set -z 2>/dev/null; echo no
set -z 2>/dev/null; echo no
#: 206 set -o nope 2>/dev/null; echo no
set -o nope 2>/dev/null; echo no
#: 207 shift x 2>/dev/null; echo no
shift x 2>/dev/null; echo no
#: 208 exit x 2>/dev/null; echo no
exit x 2>/dev/null; echo no
#: 209 return x 2>/dev/null; echo no
return x 2>/dev/null; echo no
#: 210 break x 2>/dev/null; echo ok
break x 2>/dev/null; echo ok
#: 211 trap x 2>/dev/null; echo $?; trap x 99 2>/dev/null
trap x 2>/dev/null; echo $?; trap x 99 2>/dev/null; echo $?
#: 212 read 2>/dev/null; echo $?; read -z x 2>/dev/null;
read 2>/dev/null; echo $?; read -z x 2>/dev/null; echo $?; read 1a 2>/dev/null; echo $?
#: 213 getopts 2>/dev/null; echo $?; getopts a 2>/dev/nul
getopts 2>/dev/null; echo $?; getopts a 2>/dev/null; echo $?
#: 214 local x 2>/dev/null; echo no
local x 2>/dev/null; echo no
#: 215 export 'a b=c' 2>/dev/null; echo no
export 'a b=c' 2>/dev/null; echo no
#: 216 unset 'a b' 2>/dev/null; echo no
unset 'a b' 2>/dev/null; echo no
#: 217 readonly a=1; export a=2 2>/dev/null; echo no
readonly a=1; export a=2 2>/dev/null; echo no
#: 218 readonly a=1; a=2 true 2>/dev/null; echo no
readonly a=1; a=2 true 2>/dev/null; echo no
#: 219 readonly a=1; for a in 1 2; do echo no; done; echo
readonly a=1; for a in 1 2; do echo no; done; echo no
#: 220 readonly a=1; read a <<E 2>/dev/null
readonly a=1; read a <<E 2>/dev/null
x
E
#: 221 echo $? $a
echo $? $a
#: 222 readonly OPTIND 2>/dev/null; echo ok
readonly OPTIND 2>/dev/null; echo ok
#: 223 f() { echo f; }; unset f; f; unset -f f; f 2>/dev/
f() { echo f; }; unset f; f; unset -f f; f 2>/dev/null; echo $?
#: 224 f=1; f() { echo func; }; echo $f; f; unset f; f; e
f=1; f() { echo func; }; echo $f; f; unset f; f; echo ${f-gone}
#: 225 echo() { command echo "wrapped $*"; }; echo hi
echo() { command echo "wrapped $*"; }; echo hi
#: 226 test() { false; }; test 1 = 1; echo $?; unset -f t
test() { false; }; test 1 = 1; echo $?; unset -f test; test 1 = 1; echo $?
#: 227 : () { echo no; }; : a
: () { echo no; }; : a
