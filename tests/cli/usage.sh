# What is wrong with the command line or the configuration: exit status 2, found before data is read.
. tests/cli/_lib.sh
printf 'a,b,y\n1,2,p\n3,4,q\n5,6,p\n7,8,q\n9,1,p\n2,2,q\n3,3,p\n4,4,q\n' >good.csv
printf 'data: {path: good.csv, target: y}\ntrain:\n  epochss: 3\n' >key.yaml
printf 'data: {path: good.csv, target: y}\nmodel:\n  - relu\n  - linaer: 3\n' >layer.yaml
printf 'train:\n  epochs: 1\n  epochs: 2\n' >twice.yaml
printf 'train: [1, 2\n' >broken.yaml

bad 2 'there is no verb `tarin`; did you mean `train`?' tarin
bad 2 'there is no option --epoch; did you mean --epochs?' train good.csv --epoch 3
bad 2 'there is no option -x' info -x
bad 2 'info has no option --out' info --out d
bad 2 'info takes no arguments' info x
bad 2 'predict needs RUN DATA' predict r
bad 2 'train needs DATA' train
bad 2 'eval takes one --target, and 2 are given' eval r good.csv --target a --target b
bad 2 'data.validation has no path' train good.csv --target y --validation-target y
bad 2 '--target needs' train good.csv --target
bad 2 '--target=--out' train good.csv --target --out d
bad 2 '--json takes no value' info --json=yes
bad 2 'did you mean csv?' predict r good.csv --format cvs
bad 2 'did you mean `gelu`?' ops gelo
bad 2 'did you mean `layers`?' help layres
bad 2 'bash, zsh or fish' completion tcsh

bad 2 'key.yaml:3' train --config key.yaml
says 'did you mean `epochs`?'
bad 2 'layer.yaml:4' train --config layer.yaml
says 'did you mean `linear`?'
bad 2 'twice.yaml:3' train --config twice.yaml good.csv
bad 2 'broken.yaml' train --config broken.yaml good.csv
bad 2 'did you mean `linear`?' train good.csv --target y --model 'linaer 3'
bad 2 'did you mean `adam`?' train good.csv --target y --optimizer adma
bad 2 'did you mean `cross_entropy`?' train good.csv --target y --loss cross_entrop
bad 2 'did you mean `cosine`?' train good.csv --target y --schedule cosin
bad 2 'did you mean `epochs`?' train good.csv --set train.epohcs=1
bad 2 'has no' train good.csv --set epochs
bad 2 'known are data, task, model' train good.csv --set foo=1
bad 2 'known is p' train good.csv --target y --model 'dropout q=1'
bad 2 'did you mean `step`?' train good.csv --target y --schedule step_lr
bad 2 'train.epochs must be a whole number from 0 to 2147483647, not "abc"' train good.csv --set train.epochs=abc
bad 2 'did you mean `category`?' train good.csv --target y --set 'data.columns={a: {type: categry}}'
bad 2 'data.columns.a.normalize must be' train good.csv --target y --set 'data.columns={a: {normalize: x}}'
bad 2 'data.columns.a.ignore must be true or false, not "yes"' train good.csv --target y --set 'data.columns={a: {ignore: yes}}'

bad 2 '--epochs needs a whole number' train good.csv --epochs -3
bad 2 '--epochs needs a whole number' train good.csv --epochs 1.5
bad 2 '--lr needs a number' train good.csv --lr nan
bad 2 '--lr needs a number' train good.csv --lr inf
bad 2 '--lr needs a number' train good.csv --lr -1
bad 2 '--threads is 5000' train good.csv --threads 5000
bad 2 'train.batch_size' train good.csv --batch-size 0
bad 2 'train.batch_size' train good.csv --batch-size -5
bad 2 'data.validation' train good.csv --validation 1.5
bad 2 'data.test' train good.csv --test -0.1
bad 2 'train.max_time' train good.csv --max-time -3
bad 2 'lr' train good.csv --optimizer 'sgd lr=-1'
bad 2 'lr' train good.csv --set optimizer.adam.lr=.nan
bad 2 'task must be' train good.csv --task clasification

BP_ISA=foo bad 2 "no instruction set 'foo'" info
BP_THREADS=x bad 2 'BP_THREADS' info

run 2
says 'backprop demo'
run 0 help -- train
prints 'Usage: backprop train'
finish
