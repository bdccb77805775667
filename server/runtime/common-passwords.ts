/**
 * Stems of the most used passwords, lower case, letters and digits only. Digits put in front or behind are taken off
 * before the look-up, so `Password123!` is found under `password`.
 */
export const commonPasswords: ReadonlySet<string> = new Set(
  `password passwort passw0rd p4ssw0rd p4ssword pa55word motdepasse contrasena slaptazodis heslo senha parola wachtwoord
  qwerty qwertyuiop qwertz qwertzuiop azerty azertyuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx qazwsxedc qweasd
  qweasdzxc 1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc q1w2e3r4 q1w2e3r4t5 zaq12wsx zaq1zaq1 qwer1234
  abc abcd abcde abcdef abc123 a1b2c3 a1b2c3d4 aa123456 abcd1234 abcdefg abcdefgh asd asdasd asdasdasd qweqwe qweqweqwe
  letmein letmeinnow welcome welcomehome welkom willkommen bienvenue admin administrator adminadmin root rootroot toor
  superuser supervisor sysadmin user username guest test testtest tester testing testpassword temp temporary changeme
  changemenow changeit default defaultpassword secret secretpassword mysecret topsecret login loginlogin master
  masterpassword access internet computer server desktop laptop system service support hosting cloud docker kubernetes
  berth berthberth debian ubuntu linux windows microsoft google facebook instagram youtube amazon apple samsung nokia
  iloveyou iloveyouso loveyou iloveme lovely love lovelove princess prince sunshine shadow monkey dragon football
  baseball basketball soccer hockey superman batman spiderman ironman starwars pokemon naruto minecraft fortnite roblox
  michael jennifer jessica ashley daniel andrew joshua matthew anthony charlie thomas jordan hunter ranger buster
  killer trustno trustno1 whatever freedom nothing cheese chocolate butterfly flower summer winter spring autumn
  monday friday january december summertime wintertime london paris berlin vilnius kaunas lietuva america england
  germany france mustang ferrari porsche corvette harley yankees cowboys lakers arsenal liverpool chelsea barcelona
  manchester juventus realmadrid zalgiris samantha tigger ginger pepper cookie maggie bailey mickey donald computer1
  fuckyou fuckoff asshole bitch pussy sexy sex biteme passpass passphrase mypassword mypass yourpassword newpassword
  oldpassword thepassword nopassword password1 password12 password123 passw0rd123 letmein123 welcome123 admin123
  qwerty123 qwerty1234 iloveyou1 123qwe 123abc 1234qwer 123qweasd 1q2w3e4r5t6y 987654321 0987654321 1234567890 123456789
  12345678910 123123123 1231231231 112233445566 1122334455 11223344556677889900 147258369 1472583690 159753 741852963
  789456123 0123456789 1029384756 correcthorsebatterystaple correcthorse`
    .split(/\s+/)
    .filter((word) => word !== ''),
);
