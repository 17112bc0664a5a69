#: operators
echo $((1+2*3)) $(((1+2)*3)) $((7/2)) $((7%3)) $((-7/2)) $((-7%3)) $((1-2-3))
#: comparison
echo $((1<2)) $((2<=2)) $((3>4)) $((4>=4)) $((1==1)) $((1!=1))
#: logic
echo $((1&&0)) $((1||0)) $((!0)) $((!5)) $((0||0)) $((2&&3))
#: bits
echo $((5&3)) $((5|3)) $((5^3)) $((~5)) $((1<<4)) $((256>>2)) $((-1>>1))
#: ternary
x=5; echo $((x>3?10:20)) $((x<3?10:x<6?30:40))
#: variables
x=5 y=3; echo $((x+y)) $(($x+$y)) $((${x}*2)) $((x*-y)) $((undefined+1))
#: assignment
echo $((x=5)) $x $((x+=2)) $x $((x*=3)) $((x-=1)) $((x/=4)) $((x%=3)) $x
#: shift and bit assignment
x=1; echo $((x<<=3)) $((x|=1)) $((x&=12)) $((x^=5)) $((x>>=1))
#: bases
echo $((0x1F)) $((010)) $((0)) $((0xff+1))
#: overflow
echo $((9223372036854775807+1)) $((9223372036854775807*2)) $((-9223372036854775807-2))
#: spaces and newlines
echo $(( 1 +
 2 )) $((	3	))
#: precedence
echo $((1+2<<3)) $((1|2&3)) $((1<2==1)) $((2*3%4)) $((1||0&&0)) $((-2+3)) $((1-(-1)))
#: short circuit
x=0; echo $((0&&(x=1))) $x $((1||(x=2))) $x $((1?3:(x=9))) $x
#: division by zero
echo $((1/0)); echo no
#: modulo by zero
echo $((1%0)); echo no
#: syntax error
echo $((1+)); echo no
#: illegal number
x=abc; echo $((x)); echo no
#: negative values in variables
x=-5; echo $((x+1)) $((x*x)) $((-x)) $((- -x))
#: expansion inside
set -- 4; x=$((${#}+$1)); echo $x $(( $(echo 3) * 2 )) $((`echo 2`+1))
#: nested
echo $((1+$((2*$((3))))))
#: empty value is zero
x=; echo $((x)) $((x+1)) $((0))
#: counting loop
i=0; while [ $i -lt 5 ]; do i=$((i+1)); printf '%s ' $i; done; echo
#: factorial
f() { if [ $1 -le 1 ]; then echo 1; else echo $(($1 * $(f $(($1-1))))); fi; }; f 10
#: in quotes and words
x=3; echo "a$((x*2))b" a$((x))$((x))
#: unary plus and tilde
echo $((+5)) $((~0)) $((!-1)) $((-~1))
#: equality chain
echo $((3==3==1)) $((5>4>3))
#: in here-document
x=4; cat <<E
$((x*x)) \$((x))
E
#: parentheses
echo $(((1))) $(( ( 1 + 2 ) * ( 3 + 4 ) )) $((((((5))))))
#: leading zeros from variables
x=010; echo $((x)) $((x+1))
#: long sum
x=$((1+2+3+4+5+6+7+8+9+10-1-2-3-4-5-6-7-8-9-10)); echo $x
